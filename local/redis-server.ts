/**
 * Finds a Redis (or Valkey) server program: on the PATH, else Debian's or Ubuntu's package unpacked into the cache.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { unpackedProgram } from './debian-package.ts';
import type { ProcessGroup } from './process-group.ts';
import { REDIS_MAJOR_MIN } from './versions.ts';
import { which } from './which.ts';

const run = promisify(execFile);

export type RedisServer = { readonly command: string; readonly env: Readonly<Record<string, string>> };

const WAYS_OUT = `Any one of these helps:
  - set REDIS_URL to a Redis ${REDIS_MAJOR_MIN} or newer that nothing else uses, e.g. REDIS_URL=redis://127.0.0.1:6379
  - install a server on the PATH: \`apt-get install redis-server\` (or valkey-server), \`brew install redis\`
  - on Debian or Ubuntu: let \`apt-get download redis-server\` work (network to the package mirror)`;

export async function findRedisServer(group: Pick<ProcessGroup, 'removeAtEnd'>): Promise<RedisServer> {
  const refused: string[] = [];
  for (const name of ['redis-server', 'valkey-server']) {
    const command = which(name);
    if (!command) continue;
    const major = await majorVersion({ command, env: {} });
    if (major >= REDIS_MAJOR_MIN) return { command, env: {} };
    refused.push(`${command} is version ${major}, ordertx needs ${REDIS_MAJOR_MIN} or newer.`);
  }
  try {
    const { command, env } = await unpackedProgram(
      {
        ...{ package: 'redis-server', with: ['redis-tools'], program: 'redis-server', librariesOf: 'redis-tools' },
        async check(unpacked) {
          if ((await majorVersion(unpacked)) < REDIS_MAJOR_MIN)
            throw new Error(`the mirror's redis-server is older than version ${REDIS_MAJOR_MIN}`);
        },
      },
      group,
    );
    return { command, env };
  } catch (cause) {
    throw new Error(noRedis([...refused, (cause as Error).message]), { cause });
  }
}

function noRedis(because: readonly string[]): string {
  return `ordertx found no Redis. ${because.join(' ')}\n${WAYS_OUT}`;
}

async function majorVersion({ command, env }: RedisServer): Promise<number> {
  const { stdout } = await run(command, ['--version'], { env: { ...process.env, ...env } });
  return Number(/v=(\d+)\./.exec(stdout)?.[1] ?? 0);
}
