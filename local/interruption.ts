/**
 * Why a long-running command should end: a signal, or the end of what launched it.
 *
 * `npm run`, the shell it uses and scripts/run.mjs may stand between a person and us. If one of them is killed with -9
 * nobody passes anything on to us, so we look every second whether all of them still live.
 */
import { readFileSync } from 'node:fs';
import { isAlive } from './alive.ts';

export type Interruption = {
  /** Aborts when it is time to end. */
  readonly signal: AbortSignal;
  /** Resolves then, with words for a person. */
  readonly reason: Promise<string>;
};

const LAUNCHERS_CHECK_MS = 1_000;
const LAUNCHERS_MAX = 6;

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
    const launchers = ourLaunchers();
    const check = () => {
      const areAllThere = process.ppid === launchers[0] && launchers.every(isAlive);
      if (!areAllThere) end('what launched this is gone');
    };
    if (launchers.length > 0) setInterval(check, LAUNCHERS_CHECK_MS).unref();
  });
  return { signal: abort.signal, reason };
}

/**
 * The processes from our parent up to npm, or our parent alone where run.mjs started us without npm. None where a person
 * started us directly: a shell that ends may well leave us running on purpose.
 */
function ourLaunchers(): readonly number[] {
  if (process.env.npm_lifecycle_event !== undefined) {
    const chain: number[] = [];
    for (let pid = process.ppid; pid > 1 && chain.length < LAUNCHERS_MAX;) {
      const ancestor = lookAt(pid);
      if (!ancestor) break;
      chain.push(pid);
      if (ancestor.name.startsWith('npm')) return chain;
      pid = ancestor.parent;
    }
    return [process.ppid];
  }
  return process.env.ORDERTX_LAUNCHER === undefined ? [] : [process.ppid];
}

/** Reads /proc/PID/stat: pid (name) state parent ...; nothing where there is no /proc. */
function lookAt(pid: number): { readonly name: string; readonly parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const nameEnds = stat.lastIndexOf(')');
    const parent = Number(stat.slice(nameEnds + 2).split(' ')[1]);
    return { name: stat.slice(stat.indexOf('(') + 1, nameEnds), parent };
  } catch {
    return undefined;
  }
}
