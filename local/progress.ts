/**
 * Progress lines on stderr for whatever takes more than a second, so that a first run of several minutes never looks
 * like a hang. stdout stays free for what a command was asked for.
 */
import { withoutSecrets } from '../services/kit/src/safe-error.ts';

const QUIET_MS = 1_000;
const REPEAT_MS = 20_000;

/** Runs `work`; once it has taken a second says what is being waited for, and again every 20 s until it ends. */
export async function progress<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  const repeat: NodeJS.Timeout[] = [];
  const first = setTimeout(() => {
    say(`${what} ...`);
    repeat.push(setInterval(() => say(`${what} ... (${seconds()} s so far)`), REPEAT_MS));
  }, QUIET_MS);
  try {
    const result = await work();
    if (repeat.length > 0) say(`${what}: done after ${seconds()} s`);
    return result;
  } finally {
    clearTimeout(first);
    for (const timer of repeat) clearInterval(timer);
  }
}

export function say(line: string): void {
  process.stderr.write(`ordertx: ${withoutSecrets(line)}\n`);
}
