/** `up` as a person or a tool outside the repository meets it: a process, its stack.json, and what it leaves behind. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { isAlive } from './alive.ts';
import { startTcpProxy } from '../tests/world/tcp-proxy.ts';
import { waitFor } from './deadline.ts';
import { customerCommands } from './greeting.ts';
import { freePort, isFree } from './ports.ts';
import { inheritedEnvironment, openProcessGroup } from './process-group.ts';
import { startRedis } from './redis.ts';
import type { StackDescription } from './stack.ts';

const UP_MS = 120_000;
const GONE_MS = 20_000;
const BACK_MS = 60_000;
/** Of an end in which nothing that Redis was asked is answered. */
const ENDED_MS = 20_000;

type System = {
  readonly up: ChildProcess;
  /** On stdout, so far. */
  readonly printed: () => string;
  /** What it said on stderr so far. */
  readonly said: () => string;
  readonly folder: string;
  /** The only place it may put temporary files. */
  readonly temporary: string;
  readonly exitCode: Promise<number | null>;
};

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'up-test-'));
  await chmod(root, 0o755);
});
afterAll(() => rm(root, { recursive: true }));

async function start(name: string, args: readonly string[] = [], env: Record<string, string> = {}): Promise<System> {
  const folder = join(root, name);
  const temporary = join(root, `${name}-tmp`);
  await mkdir(temporary, { recursive: true });
  const up = spawn(process.execPath, [join(import.meta.dirname, 'up.ts'), '--dir', folder, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inheritedEnvironment(), TMPDIR: temporary, ...env },
  });
  let [said, printed] = ['', ''];
  up.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  up.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exitCode = new Promise<number | null>((resolve) => up.once('exit', (code) => resolve(code)));
  return { up, printed: () => printed, said: () => said, folder, temporary, exitCode };
}

async function describedBy(system: System): Promise<StackDescription | undefined> {
  const text = await readFile(join(system.folder, 'stack.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as StackDescription);
}

async function untilUp(system: System): Promise<StackDescription> {
  return waitFor(() => describedBy(system), {
    ...{ what: 'stack.json', deadlineMs: UP_MS },
    giveUp: () => {
      if (system.up.exitCode !== null) throw new Error(`up ended early: ${system.said()}`);
    },
  });
}

/** By the name that a restart test or a failure message uses. */
/** As /proc spells them: 127.0.0.1, the same mapped into IPv6, ::1. */
const LOOPBACK = ['0100007F', '0000000000000000FFFF00000100007F', '00000000000000000000000001000000'];
const TCP_LISTEN = '0A';

/** The addresses that these processes listen on, without ports. */
async function listeningAddresses(pids: Readonly<Record<string, number>>): Promise<readonly string[]> {
  const own = new Set<string>();
  for (const pid of Object.values(pids)) {
    const files = await readdir(`/proc/${pid}/fd`);
    const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
    for (const link of links) own.add(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? '');
  }
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'utf8')));
  const rows = tables.flatMap((table) => table.trim().split('\n').slice(1)).map((row) => row.trim().split(/\s+/));
  return rows
    .filter(([, , , state, , , , , , inode = '']) => state === TCP_LISTEN && own.has(inode))
    .map(([, address = '']) => address.split(':')[0] ?? '');
}

function pidsOf({ services, controllers, ...servers }: StackDescription): Readonly<Record<string, number>> {
  const { postgres, redis, apiserver, etcd } = servers;
  return {
    ...Object.fromEntries(Object.entries(services).map(([name, { pid }]) => [name, pid])),
    ...Object.fromEntries(controllers.map(({ pid }, index) => [`controller ${index + 1}`, pid])),
    ...{ postgres: postgres.pid, redis: redis.pid ?? 0, apiserver: apiserver.pid, etcd: etcd.pid },
  };
}

function urlsOf({ services, controllers, redisUrl }: StackDescription): readonly string[] {
  const ofServices = Object.values(services).map(({ url }) => url);
  return [...ofServices, services.order.databaseUrl, redisUrl, ...controllers.map(({ url }) => url)];
}

async function nothingIsLeft(system: System, description: StackDescription): Promise<void> {
  const pids = Object.values(pidsOf(description));
  await waitFor(async () => !pids.some(isAlive), { what: 'every process to end', deadlineMs: GONE_MS });
  await waitFor(async () => (await readdir(system.temporary)).length === 0, {
    ...{ what: 'the temporary folder to disappear', deadlineMs: GONE_MS },
  });
  const ports = urlsOf(description).map((url) => Number(new URL(url).port));
  expect(await Promise.all(ports.map(isFree))).toEqual(ports.map(() => true));
  await waitFor(async () => (await readdir(system.folder)).join() === 'logs', {
    ...{ what: 'only the logs to be left', deadlineMs: GONE_MS },
  });
}

/** Returns the status and what was answered: 201 is an order whose stock is reserved. */
async function placeOrder({ services }: StackDescription, key: string): Promise<readonly [number, string]> {
  const json = { 'content-type': 'application/json' };
  const stocked = JSON.stringify({ stocked: 1_000 });
  await fetch(`${services.inventory.url}/stock/tea`, { method: 'PUT', headers: json, body: stocked });
  const lines = [{ skuId: 'tea', quantity: 1, unitPriceCents: 450 }];
  const answer = await fetch(`${services.order.url}/orders`, {
    method: 'POST',
    headers: { ...json, 'idempotency-key': key, prefer: 'wait=20' },
    body: JSON.stringify({ userId: 'u1', lines }),
  });
  return [answer.status, await answer.text()];
}

describe('two systems on one machine', () => {
  let first: System;
  let second: System;
  let firstIs: StackDescription;
  let secondIs: StackDescription;

  beforeAll(async () => {
    [first, second] = await Promise.all([
      start('first', ['--controllers', '2', '--gogc', '250']),
      start('second', ['--restart'], { ORDERTX_API_SERVER_GOGC: '150' }),
    ]);
    [firstIs, secondIs] = await Promise.all([untilUp(first), untilUp(second)]);
  }, UP_MS);
  afterAll(async () => {
    for (const { up, exitCode } of [first, second]) {
      up.kill('SIGTERM');
      await exitCode;
    }
  }, UP_MS);

  test('each describes itself with absolute paths, urls that answer and living processes', async () => {
    for (const [system, controllers] of [
      [firstIs, 2],
      [secondIs, 1],
    ] as const) {
      expect(system.controllers).toHaveLength(controllers);
      expect(isAbsolute(system.kubeconfig)).toBe(true);
      expect(urlsOf(system).filter((url) => url.endsWith('/'))).toEqual([]);
      expect(Object.entries(pidsOf(system)).filter(([, pid]) => !isAlive(pid))).toEqual([]);
      for (const { url } of system.controllers) {
        for (const path of ['/metrics', '/healthz', '/readyz', '/jwks']) {
          expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200]);
        }
      }
    }
  });

  test('keeps its secrets to its user, and listens to nobody but this machine', async () => {
    const { mode } = await stat(join(first.folder, 'stack.json'));
    expect(mode & 0o777).toBe(0o600);
    const listening = await listeningAddresses(pidsOf(firstIs));
    // Seven services, two controllers, Redis, Postgres, the API server, and etcd for its clients and its peers.
    expect(listening.length).toBeGreaterThanOrEqual(14);
    expect(listening.filter((address) => !LOOPBACK.includes(address))).toEqual([]);
  });

  test('its API server collects garbage as seldom as it was asked to', async () => {
    const environmentOf = async ({ apiserver }: StackDescription) =>
      (await readFile(`/proc/${apiserver.pid}/environ`, 'utf8')).split('\0').filter((each) => each.startsWith('GOGC='));
    expect(await Promise.all([firstIs, secondIs].map(environmentOf))).toEqual([['GOGC=250'], ['GOGC=150']]);
  });

  test('a pid is the serving process', async () => {
    if (process.platform !== 'linux') return;
    const programs = {
      postgres: 'postgres',
      redis: 'redis',
      apiserver: 'kube-apiserver',
      etcd: 'etcd',
      order: 'order',
    };
    for (const [name, program] of Object.entries(programs)) {
      expect(await readFile(`/proc/${pidsOf(firstIs)[name]}/cmdline`, 'utf8')).toContain(program);
    }
  });

  test('each takes an order as soon as stack.json is there', async () => {
    for (const system of [firstIs, secondIs]) {
      expect(await placeOrder(system, 'k1')).toEqual([201, expect.stringContaining('PENDING_PAYMENT')]);
    }
  });

  test('the commands that it prints place an order and pay it, as they stand', async () => {
    const { stdout } = await promisify(execFile)('sh', ['-ec', customerCommands(firstIs).join('\n')]);
    expect(stdout).toContain('"status":"SUCCEEDED"');
    const orderId = /"orderId":"([^"]+)"/.exec(stdout)?.[1] ?? '';
    await waitFor(
      async () =>
        (await (await fetch(`${firstIs.services.order.url}/orders/${orderId}`)).text()).includes('"status":"PAID"'),
      {
        ...{ what: 'the order to be paid', deadlineMs: GONE_MS },
      },
    );
    await waitFor(async () => first.printed().includes(customerCommands(firstIs).join('\n')), {
      ...{ what: 'the commands to be printed', deadlineMs: GONE_MS },
    });
  });

  test('a third in the folder of the first is refused, and the first goes on', async () => {
    const third = await start('first');
    expect(await third.exitCode).toBe(1);
    expect(third.said()).toContain(`a system is already up in ${first.folder} (process ${first.up.pid})`);
    expect(await describedBy(first)).toEqual(firstIs);
  });

  test('a part that is killed stays dead without --restart', async () => {
    const pid = firstIs.controllers[1]!.pid;
    process.kill(pid, 'SIGKILL');
    await waitFor(async () => first.said().includes(`controller-2 (pid ${pid}) ended by SIGKILL`), {
      ...{ what: 'the end to be noticed', deadlineMs: GONE_MS },
    });
    expect(await isFree(Number(new URL(firstIs.controllers[1]!.url).port))).toBe(true);
  });

  test('what it prints then starts the part again, on its port', async () => {
    const [, asked] = /ended by SIGKILL; start it again: kill -USR2 (\d+)/.exec(first.said()) ?? [];
    process.kill(Number(asked), 'SIGUSR2');
    await waitFor(async () => first.said().includes('controller-2 is back as pid'), {
      ...{ what: 'it to be back', deadlineMs: BACK_MS },
    });
    const again = (await describedBy(first))!;
    expect(urlsOf(again)).toEqual(urlsOf(firstIs));
    expect(isAlive(again.controllers[1]!.pid)).toBe(true);
    firstIs = again;
  });

  test('killed with -9 it leaves no process, no port and no temporary folder', async () => {
    first.up.kill('SIGKILL');
    await nothingIsLeft(first, firstIs);
  }, 60_000);

  test.each(['order', 'inventory', 'wms', 'controller 1', 'redis', 'postgres', 'apiserver', 'etcd'])(
    'with --restart a killed %s comes back on its port, and orders go through again',
    async (name) => {
      const before = (await describedBy(second))!;
      process.kill(pidsOf(before)[name]!, 'SIGKILL');
      const after = await waitFor(
        async () => {
          const now = (await describedBy(second))!;
          return pidsOf(now)[name] !== pidsOf(before)[name] && now;
        },
        { what: `${name} to come back`, deadlineMs: BACK_MS },
      );
      expect(isAlive(pidsOf(after)[name]!)).toBe(true);
      expect(urlsOf(after)).toEqual(urlsOf(before));
      let attempt = 0;
      await waitFor(
        async () => {
          // An order that was placed too early may be cancelled for want of an answer; then the customer tries again.
          const [status, answer] = await placeOrder(after, `${name.replace(' ', '-')}-${(attempt += 1)}`);
          if (status !== 201) throw new Error(`it was answered ${status}: ${answer}`);
          return true;
        },
        { what: 'an order to go through', deadlineMs: BACK_MS },
      );
    },
    2 * BACK_MS,
  );

  test('interrupted it ends well and leaves nothing', async () => {
    const description = (await describedBy(second))!;
    second.up.kill('SIGINT');
    expect(await second.exitCode).toBe(0);
    await nothingIsLeft(second, description);
  }, 60_000);
});

test(
  'interrupted while its Redis is half-open it ends in bounded time and leaves nothing',
  async () => {
    const group = await openProcessGroup();
    const redis = await startRedis(group, { url: '' });
    if (redis.kind !== 'own') throw new Error('a Redis of its own was asked for');
    const proxy = await startTcpProxy(redis.port);
    const system = await start('half-open', [], { REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    const description = await untilUp(system);
    // Also those that are made from now on.
    proxy.break('answers-lost');
    proxy.swallowOpen();
    expect((await placeOrder(description, 'k1'))[0]).toBe(201);
    const sinceMs = performance.now();
    system.up.kill('SIGINT');
    expect(await system.exitCode).toBe(0);
    expect(performance.now() - sinceMs).toBeLessThan(ENDED_MS);
    // The Redis is not its own: it lives on.
    const redisUrl = `redis://127.0.0.1:${await freePort()}`;
    await nothingIsLeft(system, { ...description, redisUrl, redis: { pid: description.apiserver.pid } });
    await proxy.close();
    await group.close();
  },
  2 * UP_MS,
);

describe('a start that fails', () => {
  test('says why and leaves nothing', async () => {
    const system = await start('failing', [], { KUBEBUILDER_ASSETS: '/no/such/folder' });
    expect(await system.exitCode).toBe(1);
    expect(system.said()).toContain('KUBEBUILDER_ASSETS (/no/such/folder) lacks');
    expect(await readdir(system.temporary)).toEqual([]);
    expect(existsSync(join(system.folder, 'stack.json'))).toBe(false);
  }, 60_000);

  test('because it was interrupted leaves nothing', async () => {
    const system = await start('interrupted');
    await waitFor(async () => existsSync(join(system.folder, 'logs', 'etcd.log')), {
      ...{ what: 'the first part to be started', deadlineMs: UP_MS },
    });
    system.up.kill('SIGINT');
    expect(await system.exitCode).toBe(1);
    expect(await readdir(system.temporary)).toEqual([]);
    expect(await readdir(system.folder)).toEqual(['logs']);
  }, 60_000);

  test.each([
    [['--controllers', 'many'], {}, '--controllers must be a number from 1 to 9, not many'],
    [['--gogc', 'off'], {}, '--gogc must be a whole number from 50 to 2000, in percent, not off'],
    [
      [],
      { ORDERTX_API_SERVER_GOGC: '4000' },
      'ORDERTX_API_SERVER_GOGC must be a whole number from 50 to 2000, in percent, not 4000',
    ],
  ])('because of a bad argument or variable names it: %j %j', async (args, env, sentence) => {
    const system = await start('bad', args, env);
    expect(await system.exitCode).toBe(1);
    expect(system.said()).toContain(sentence);
  });
});
