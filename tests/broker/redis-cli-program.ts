/**
 * As much of redis-cli as a page needs here, on a machine that has none: `-u URL`, and a command a line from stdin. It ends with 1 at the
 * first that Redis refuses; redis-cli itself prints the refusal and goes on.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';

const { values } = parseArgs({ options: { url: { type: 'string', short: 'u', default: '' } } });
const client = new Redis(values.url, { retryStrategy: () => null });
try {
  for (const line of readFileSync(0, 'utf8').trim().split('\n')) {
    const [command = '', ...args] = line.split(' ');
    process.stdout.write(`${String(await client.call(command, ...args))}\n`);
  }
} finally {
  client.disconnect();
}
