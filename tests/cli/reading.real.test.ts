/** What people read of transactions with kubectl's plugin, from the real API server. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { PostgresArchive } from '../../controller/src/archive/postgres-archive.ts';
import type { OrderTransaction, OrderTransactionStatus } from '../../crds/generated/ordertransaction.ts';
import type { ApiServer } from '../../local/control-plane/api.ts';
import { freePort } from '../../local/ports.ts';
import { memoryLog } from '../../services/kit/testing/memory-log.ts';
import { branches, collectionPath, connectAsAdmin, status, storeTransaction } from '../crds/stored-transaction.ts';
import { freshDatabase, freshNamespace, world } from '../world/world.ts';
import { wrongClock } from '../world/wrong-clock.ts';
import { grant } from './access.ts';
import { buildPlugin, pluginEnvironment, type Plugin } from './plugin.ts';

const SETUP_MS = 120_000;
const AT_ONCE = 16;

let api: ApiServer;
let plugin: Plugin;
let namespace: string;

beforeAll(async () => {
  api = connectAsAdmin();
  namespace = await freshNamespace('reading');
  plugin = await buildPlugin(namespace);
}, SETUP_MS);
afterAll(async () => {
  await plugin.close();
  await api.close();
});

async function store(
  name: string,
  spec: Readonly<Record<string, unknown>>,
  written?: OrderTransactionStatus,
  where = namespace,
): Promise<void> {
  const stored = await storeTransaction(api, where, name, { orderId: name, ...spec });
  if (written) expect(await stored.take(status(written))).toMatchObject({ kind: 'accepted' });
}

function failing(target: string, sentence: string, stuck = true): OrderTransactionStatus {
  const at = '2026-11-22T23:15:00Z';
  return {
    phase: 'Trying',
    branches: branches('Tried', 'Untried'),
    message: sentence,
    waitingFor: target,
    ...(stuck && {
      conditions: [
        { type: 'Stuck', status: 'True', reason: 'TakingTooLong', message: sentence, lastTransitionTime: at },
      ],
    }),
  };
}

async function storeFlow(where = namespace, name = 'create-order'): Promise<void> {
  const { status: code } = await api.request('POST', collectionPath(where, 'transactionflows'), {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'TransactionFlow',
    metadata: { name, finalizers: ['ordertx.dev/in-use'] },
    spec: {
      timeoutSeconds: 600,
      participants: ['order', 'inventory'].map((participant) => ({
        name: participant,
        endpoint: { url: 'http://127.0.0.1:1' },
        path: `/tcc/${participant}`,
      })),
    },
  });
  expect(code).toBe(201);
}

async function inParallel(count: number, each: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await each(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const ended = { phase: 'Succeeded', expires: '2099-01-01T00:00Z', finishedAt: '2026-11-22T23:16:00Z' } as const;

/** Through every step that the API server insists on. */
async function end(name: string, spec: Readonly<Record<string, unknown>>): Promise<OrderTransaction> {
  const stored = await storeTransaction(api, namespace, name, spec);
  const decided = { decision: 'Confirm', decisionReason: 'AllTried', decidedAt: '2026-11-22T23:15:30Z' } as const;
  await stored.take(status({ phase: 'Confirming', ...decided, branches: branches('Tried', 'Tried') }));
  const last = await stored.take(status({ ...decided, ...ended, branches: branches('Confirmed', 'Confirmed') }));
  if (last.kind === 'refused') throw new Error(last.message);
  return last.object as OrderTransaction;
}

describe('incidents', () => {
  test(
    'a thousand that are stuck behind three causes are three rows, and each row finds its own again',
    async () => {
      const crowded = await freshNamespace('crowded');
      const refused = 'the try at inventory is not done: refused the connection';
      const slow = 'the try at inventory is not done: did not answer within 3 s';
      const lame = 'the try at order is not done: answered 500';
      await inParallel(1_000, async (index) => {
        const [target, sentence] = index % 10 === 0 ? ['order', lame] : ['inventory', index % 10 < 4 ? slow : refused];
        await store(`t-${index}`, {}, failing(target, sentence), crowded);
      });
      const { code, out } = await plugin.run(['incidents', '-n', crowded, '-o', 'json']);
      expect(code).toBe(0);
      const { items } = JSON.parse(out) as { items: { id: string; count: number; sentence: string }[] };
      expect(items.map(({ sentence, count }) => [sentence, count]).toSorted()).toEqual([
        [slow, 300],
        [refused, 600],
        [lame, 100],
      ]);
      const rare = items.find(({ sentence }) => sentence === lame);
      const { out: names } = await plugin.run(['list', '-n', crowded, '--incident', rare?.id ?? '', '-o', 'name']);
      expect(names.trim().split('\n').toSorted()).toEqual(
        Array.from({ length: 100 }, (_, index) => `ordertransaction.ordertx.dev/t-${index * 10}`).toSorted(),
      );
      const { out: table, err } = await plugin.run(['incidents', '-n', crowded]);
      expect(table.trim().split('\n')).toHaveLength(4);
      expect(err).toContain('1000 transactions, 3 incidents.');
    },
    SETUP_MS,
  );

  test('the oldest comes first, with its next step; what is on hold is nobody’s trouble', async () => {
    const fresh = await freshNamespace('oldest');
    await store(
      'first',
      { flow: 'gone' },
      {
        ...failing('', 'the TransactionFlow gone does not exist'),
        conditions: [
          {
            type: 'Stuck',
            status: 'True',
            reason: 'FlowNotFound',
            message: 'x',
            lastTransitionTime: '2026-11-22T23:15:00Z',
          },
        ],
      },
      fresh,
    );
    await store(
      'held',
      {},
      failing('inventory', 'on hold: inventory (stock count); the deadline runs on', false),
      fresh,
    );
    await store('well', {}, { phase: 'Trying', branches: branches('Tried', 'Untried') }, fresh);
    const { out } = await plugin.run(['incidents', '-n', fresh, '--no-headers']);
    expect(out.trim().split('\n')).toHaveLength(1);
    expect(out).toContain('create the TransactionFlow gone again');
    const { out: flows, err } = await plugin.run(['flows', '-n', fresh]);
    expect(flows).toBe('');
    expect(err).toContain('1 transaction waiting for the flow');
  });

  test('that all is well says where, and for what; what there is none of is an error that names it', async () => {
    const fresh = await freshNamespace('clear');
    const run = (...args: readonly string[]) => plugin.run([...args, '-n', fresh]);
    const clear = `Nothing is stuck and nothing fails in the namespace ${fresh}`;
    const bare = await run('incidents');
    expect(bare).toMatchObject({ code: 0, out: '' });
    expect(bare.err).toBe(`${clear}. There is no flow either: -n names another namespace, -A means all.\n`);
    await storeFlow(fresh);
    expect((await run('incidents')).err).toBe(`${clear}.\n`);
    expect((await run('incidents', '--flow', 'create-order', '--target', 'order')).err).toBe(
      `${clear}, with --flow create-order --target order.\n`,
    );
    // Beside what other tests have left there.
    expect((await run('incidents', '-A', '-l', 'nobody=has-this')).err).toMatch(
      /^Nothing is .* in any namespace, with -l nobody=has-this\b/,
    );
    for (const [args, told] of [
      [['incidents', '--flow', 'nope'], `there is no flow nope in the namespace ${fresh}`],
      [['incidents', '--target', 'bank'], `no flow in the namespace ${fresh} has a participant or message bank`],
      [['incidents', '--flow', 'create-order', '--target', 'bank'], 'the flow create-order in the namespace'],
      [['incidents', '--incident', 'zzz'], `there is no incident zzz in the namespace ${fresh}`],
      [['cancel', '--yes', '--target', 'bank'], `no flow in the namespace ${fresh} has a participant or message bank`],
      [['retry', '--yes', '--incident', 'zzz'], `there is no incident zzz in the namespace ${fresh}`],
    ] as const) {
      expect(await run(...args)).toMatchObject({ code: 1, out: '', err: expect.stringContaining(told) });
    }
    expect(await run('retry', '--flow', 'create-order', '--yes')).toMatchObject({ code: 0 });
    // An incident that is over is what everybody hopes for.
    expect(await run('retry', '--incident', '3fa9c2d1', '--yes')).toMatchObject({
      ...{ code: 0, out: 'retry: 0 transactions\n' },
      err: expect.stringContaining('Nothing is left to do: there is no incident 3fa9c2d1'),
    });
    expect(await run('list', '--incident', 'zzz')).toMatchObject({ code: 0, err: expect.stringContaining('zzz?') });
    // A flow that is gone is still what its transactions wait for.
    await store('orphan', { flow: 'gone' }, undefined, fresh);
    expect(await run('incidents', '--flow', 'gone')).toMatchObject({ code: 0, out: '' });
    await store('ailing', {}, failing('inventory', 'the try at inventory is not done: answered 500'), fresh);
    const [row] = (JSON.parse((await run('incidents', '-o', 'json')).out) as { items: { id: string }[] }).items;
    expect((await run('incidents', '--incident', row?.id ?? '', '-o', 'name')).out).toBe(`${row?.id ?? ''}\n`);
  });

  test('where every Lease of controllers has run out nobody is told that nothing fails', async () => {
    const fresh = await freshNamespace('leaseless');
    await storeFlow(fresh);
    const lease = (name: string, renewTime: string) => ({
      ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name } },
      spec: { holderIdentity: 'controller-1', leaseDurationSeconds: 10, renewTime },
    });
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${fresh}/leases`;
    await api.request('POST', leases, lease('ordertx-shard-0-of-1', '2026-01-01T00:00:00.000000Z'));
    const { code, out, err } = await plugin.run(['incidents', '-n', fresh]);
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(err).toBe(
      `Nothing is said to be stuck or to fail in the namespace ${fresh}, and that may not be so:\n` +
        'no controller holds its Lease any more: is a controller running? kubectl ordertx check\n',
    );
    // One that is left over from another number of shards says nothing beside one that is held.
    await api.request('POST', leases, lease('ordertx-shard-0-of-2', '2099-01-01T00:00:00.000000Z'));
    expect((await plugin.run(['incidents', '-n', fresh])).err).toContain('Nothing is stuck and nothing fails');
  });

  test('what is on hold is told beside the rows, also while nothing waits for it', async () => {
    const fresh = await freshNamespace('on-hold');
    await storeFlow(fresh);
    const spec = { hold: { inventory: 'stock count' } };
    await api.request('PATCH', `${collectionPath(fresh, 'transactionflows')}/create-order`, { spec });
    const { out, err } = await plugin.run(['incidents', '-n', fresh]);
    expect(out).toBe('');
    expect(err).toContain('inventory in the flow create-order (stock count); 0 transactions of it wait for it');
    const json = JSON.parse((await plugin.run(['incidents', '-n', fresh, '-o', 'json'])).out) as object;
    const hold = { namespace: fresh, flow: 'create-order', target: 'inventory', reason: 'stock count', waiting: 0 };
    expect(json).toMatchObject({ items: [], untouched: 0, holds: [hold] });
    expect((await plugin.run(['incidents', '-A'])).err).toContain(
      `release -n ${fresh} create-order --target inventory`,
    );
  });

  test('what a service writes cannot move the cursor', async () => {
    const fresh = await freshNamespace('escapes');
    await store('evil', {}, failing('inventory', 'answered \u001b[2J\u001b[1;1Hall is well\nreally'), fresh);
    const { out } = await plugin.run(['incidents', '-n', fresh]);
    expect(out).toContain('answered \\u001b[2J\\u001b[1;1Hall is well really');
    expect(out.trim().split('\n')).toHaveLength(2);
  });
});

describe('list', () => {
  beforeAll(async () => {
    await store('listed-b', {}, failing('inventory', 'the try at inventory is not done: answered 500'));
    await store(
      'listed-a',
      { flow: 'pay-order' },
      failing('order', 'the try at order is not done: answered 500', false),
    );
    await end('listed-c', { orderId: 'o9' });
  });

  const names = async (...args: readonly string[]): Promise<readonly string[]> => {
    const { code, out, err } = await plugin.run(['list', '-o', 'name', ...args]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return out
      .split('\n')
      .filter(Boolean)
      .map((line) => line.replace('ordertransaction.ordertx.dev/', ''));
  };

  test.each([
    [['--stuck'], ['listed-b']],
    [['--flow', 'pay-order'], ['listed-a']],
    [['--target', 'order'], ['listed-a']],
    [['--field-selector', 'status.phase=Succeeded'], ['listed-c']],
    [['--older-than', '1h'], []],
    [
      ['--sort-by', '.metadata.name'],
      ['listed-a', 'listed-b', 'listed-c'],
    ],
    [
      ['--sort-by', '{.status.phase}'],
      ['listed-c', 'listed-b', 'listed-a'],
    ],
  ])('%j finds %j', async (args, expected) => {
    const found = await names(...args);
    expect(args[1] === '{.status.phase}' ? [found[0]] : found).toEqual(
      args[1] === '{.status.phase}' ? ['listed-c'] : expected,
    );
  });

  test('what is old is so by the API server’s clock, whatever this machine’s says', async () => {
    const name = 'young';
    await store(name, { flow: 'clock' }, failing('inventory', 'answered 503'));
    const older = (duration: string) => ['list', '--flow', 'clock', '--older-than', duration, '-o', 'name'];
    for (const aheadSeconds of [7_200, -7_200]) {
      const env = wrongClock(aheadSeconds);
      expect((await plugin.run(older('1h'), { env })).out).toBe('');
      expect((await plugin.run(older('0s'), { env })).out).toBe(`ordertransaction.ordertx.dev/${name}\n`);
      expect((await plugin.run(['list', '--flow', 'clock'], { env })).out).toMatch(/ \d{1,2}s\n$/);
    }
  });

  test('its table is kubectl’s, wide also with the sentence; nothing found is said on stderr', async () => {
    const { out } = await plugin.run(['list', '-o', 'wide', '--target', 'order']);
    const [heads, row] = out.split('\n');
    expect(heads?.split(/\s{3,}/)).toEqual([
      'NAME',
      'FLOW',
      'ORDER',
      'PHASE',
      'DECISION',
      'STUCK',
      'WAITING FOR',
      'AGE',
      'MESSAGE',
    ]);
    expect(row).toContain('the try at order is not done: answered 500');
    const none = await plugin.run(['list', '--flow', 'none']);
    expect(none).toMatchObject({ code: 0, out: '', err: `No transactions found in ${namespace} namespace.\n` });
  });

  test('a field that nothing has, a selector that cannot be read, and names beside a selection are said by their flags', async () => {
    const nonsense = await plugin.run(['list', '--sort-by', 'nonsense']);
    expect(nonsense).toMatchObject({ code: 1, out: '', err: expect.stringContaining('has a field nonsense') });
    for (const [flag, value] of [
      ['-l', 'a in'],
      ['--field-selector', 'spec.colour=red'],
      ['--field-selector', 'nonsense'],
    ] as const) {
      const ran = await plugin.run(['list', flag, value]);
      expect(ran).toMatchObject({ code: 2, out: '', err: expect.stringContaining(`error: ${flag}: `) });
    }
    const both = await plugin.run(['retry', 'listed-b', '--stuck', '--yes']);
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining('exclude each other: leave one out') });
  });

  test('json, yaml and jsonpath are those of kubectl get', async () => {
    const run = promisify(execFile);
    const { kubectl } = world();
    const args = [
      '-n',
      namespace,
      '-o',
      'jsonpath={range .items[*]}{.metadata.name}{"\\t"}{.status.phase}{"\\n"}{end}',
    ];
    const { stdout } = await run(kubectl, ['get', 'otx', ...args], { env: pluginEnvironment() });
    const { out } = await plugin.run(['list', ...args, '--sort-by', '.metadata.name']);
    expect(out).toBe(stdout);
    const json = JSON.parse((await plugin.run(['list', '-o', 'json', '--target', 'order'])).out) as {
      items: OrderTransaction[];
    };
    expect(json.items[0]).toMatchObject({ kind: 'OrderTransaction', spec: { payload: { userId: 'u7' } } });
    expect((await plugin.run(['list', '-o', 'yaml', '--target', 'order'])).out).toContain('waitingFor: order');
  });

  test('a reader who has seen enough is no error', async () => {
    const command = `"${process.execPath}" "${plugin.program}" -n ${namespace} list | head -1`;
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', command], { env: pluginEnvironment() });
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe('');
  });
});

describe('rights', () => {
  test('who has none hears which one to ask for', async () => {
    const { code, out, err } = await plugin.run(['list', '--as', 'guest']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(`guest may not list ordertransactions.ordertx.dev in the namespace ${namespace}`);
    expect(err).toContain('a Role with the verb list on ordertransactions.ordertx.dev');
    expect(err).toContain(`kubectl auth can-i list ordertransactions.ordertx.dev -n ${namespace} --as guest says`);
  });

  test('who may only read gets what may be read, and is told what is left out', async () => {
    const rule = { apiGroups: ['ordertx.dev'], resources: ['ordertransactions'], verbs: ['get', 'list'] };
    await grant(api, namespace, 'reader', [rule]);
    await store('seen', {}, failing('inventory', 'the try at inventory is not done: answered 500'));
    expect((await plugin.run(['list', '--as', 'reader', '--field-selector', 'spec.orderId=seen'])).out).toContain(
      'seen',
    );
    const described = await plugin.run(['describe', 'seen', '--as', 'reader']);
    expect(described.err).toContain('Events are left out: you may not list them.');
    expect(described).toMatchObject({ code: 0, out: expect.stringContaining('the try at inventory is not done') });
    expect(described.out).toContain('reader may not get transactionflows.ordertx.dev');
  });
});

describe('describe', () => {
  test('an order’s life goes on in the archive', async () => {
    const database = await freshDatabase('plugin-archive');
    const archive = new PostgresArchive({ connectionString: database.url, retentionDays: 365, log: memoryLog().log });
    try {
      const created = await end('create-o42', { orderId: 'o42' });
      expect(await archive.keep([created])).toMatchObject({ kind: 'kept' });
      await api.request('DELETE', `${collectionPath(namespace)}/create-o42`);
      await store(
        'pay-p42',
        { orderId: 'o42', flow: 'pay-order' },
        failing('inventory', 'the try at inventory is not done: answered 500'),
      );

      const env = { ARCHIVE_DATABASE_URL: database.url };
      const { code, out } = await plugin.run(['describe', 'o42'], { env });
      expect(code).toBe(0);
      expect(out).toContain('Order:  o42, 2 transactions');
      expect(out.indexOf('create-o42')).toBeLessThan(out.indexOf('pay-p42'));
      expect(out).toContain('in the archive: it has ended and was removed');
      expect(out).toMatch(/2026-11-22T23:15:30Z\s+decided Confirm \(AllTried\)/);
      expect((await plugin.run(['list', '--archived', '--flow', 'create-order', '-o', 'name'], { env })).out).toBe(
        'ordertransaction.ordertx.dev/create-o42\n',
      );
      const without = await plugin.run(['describe', 'create-o42']);
      expect(without).toMatchObject({ code: 1, err: expect.stringContaining('which was not asked') });
    } finally {
      await archive.close();
      await database.drop();
    }
  });

  test('an archive that nothing was kept in is empty, and one that is away may have it', async () => {
    const database = await freshDatabase('plugin-empty');
    const describe = (url: string) => plugin.run(['describe', 'nowhere'], { env: { ARCHIVE_DATABASE_URL: url } });
    const empty = await describe(database.url).finally(() => database.drop());
    expect(empty).toMatchObject({ code: 1, err: expect.stringContaining(`namespace ${namespace} or the archive`) });
    const away = await describe(`postgres://nobody@127.0.0.1:${await freePort()}/none`);
    expect(away).toMatchObject({ code: 1, err: expect.stringContaining('could not be read: it may be there') });
  });

  test('what comes next is the controller’s own decision, with the time of the deadline', async () => {
    await storeFlow();
    await store('next', {}, failing('inventory', 'the try at inventory is not done: answered 500'));
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const { out } = await plugin.run(['describe', 'next', '--controller', nobody]);
    expect(out).toContain('calls try at inventory (attempt 2)');
    expect(out).toMatch(
      /at 20\S+Z \(in \d+ s\), unless something is answered before: decides Cancel \(DeadlineExceeded\)/,
    );
    expect(out).toContain(`the controller at ${nobody} cannot be asked: ECONNREFUSED`);
  });
});

test('kubectl finds it: kubectl ordertx', async () => {
  const folder = dirname(plugin.program);
  await symlink(plugin.program, join(folder, 'kubectl_complete-ordertx'));
  const env = pluginEnvironment();
  const { stdout } = await promisify(execFile)(world().kubectl, ['ordertx', 'version'], {
    env: { ...env, PATH: `${folder}:${env.PATH ?? ''}` },
  });
  expect(stdout).toContain('ordertx.dev/v1alpha1');
});
