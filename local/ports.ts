/**
 * Free TCP ports on the loopback address.
 *
 * They come from below the range that systems take outgoing ports from (32768 on Linux, 49152 on macOS): a part that is
 * restarted must get its own port back, and an unrelated connection must not have taken it as its source port meanwhile.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 30_000;
const ATTEMPTS_MAX = 100;

const handedOut = new Set<number>();

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT);
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`no free port between ${LOWEST_PORT} and ${HIGHEST_PORT} on 127.0.0.1 after ${ATTEMPTS_MAX} tries`);
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
