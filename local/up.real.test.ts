/** `up` as a person or a tool outside the repository meets it: a process, its stack.json, and what it leaves behind. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import {
  BACK_MS,
  comesBack,
  describedBy,
  GONE_MS,
  nothingIsLeft,
  pidsOf,
  placeOrder,
  startUp,
  untilUp,
  UP_MS,
  urlsOf,
  type System,
} from '../tests/world/up-system.ts';
import { isAlive } from './alive.ts';
import { waitFor } from './deadline.ts';
import { customerCommands } from './greeting.ts';
import { isFree } from './ports.ts';
import type { StackDescription } from './stack.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'up-test-'));
  await chmod(root, 0o755);
});
afterAll(() => rm(root, { recursive: true }));

const start = (name: string, args: readonly string[] = [], env: Record<string, string> = {}) =>
  startUp(root, name, args, env);

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

  // Of each kind of part one; all others: up.long.real.test.ts.
  test.each(['inventory', 'controller 1', 'postgres', 'apiserver'])(
    'with --restart a killed %s comes back on its port, and orders go through again',
    (name) => comesBack(second, name),
    2 * BACK_MS,
  );

  test('interrupted it ends well and leaves nothing', async () => {
    const description = (await describedBy(second))!;
    second.up.kill('SIGINT');
    expect(await second.exitCode).toBe(0);
    await nothingIsLeft(second, description);
  }, 60_000);
});

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
