/**
 * Why a long-running command should end: a signal, or the end of what launched it.
 *
 * `npm run` and scripts/run.mjs stand between a person and us. If one of them is killed with -9 nobody would be left to
 * stop us, so we look every second whether our parent is still the one that launched us.
 */

export type Interruption = {
  /** Aborts when it is time to end. */
  readonly signal: AbortSignal;
  /** Resolves then, with words for a person. */
  readonly reason: Promise<string>;
};

const PARENT_CHECK_MS = 1_000;

export function onEnd(): Interruption {
  const abort = new AbortController();
  const reason = new Promise<string>((resolve) => {
    const end = (why: string) => {
      resolve(why);
      abort.abort();
    };
    // Repeated signals change nothing: a terminal's Ctrl-C may reach us twice, from the terminal and by our launcher.
    process.on('SIGINT', () => end('interrupted'));
    process.on('SIGTERM', () => end('asked to end'));
    process.on('SIGHUP', () => end('the terminal is gone'));
    const launcher = process.ppid;
    if (process.env.npm_lifecycle_event !== undefined || process.env.ORDERTX_LAUNCHER !== undefined) {
      const check = () => process.ppid !== launcher && end('what launched this is gone');
      setInterval(check, PARENT_CHECK_MS).unref();
    }
  });
  return { signal: abort.signal, reason };
}
