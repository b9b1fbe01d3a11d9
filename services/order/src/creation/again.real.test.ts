/** What has ended is kept, and is created once more when a person asks for it: `creations again`, on a real API server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type ApiServer } from '../../../../local/control-plane/api.ts';
import { writeKubeconfig } from '../../../../local/control-plane/kubeconfig.ts';
import { waitFor } from '../../../../local/deadline.ts';
import type { OrderTransaction } from '../../../../crds/generated/ordertransaction.ts';
import { placeOrder } from '../../../../tests/services/order-client.ts';
import { startTcpProxy, type TcpProxy } from '../../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../../tests/world/world.ts';
import { cleanInBatches } from '../../../kit/src/postgres/cleaning.ts';
import { done, OrderFixture } from '../../testing/order-fixture.ts';
import { againCommand } from './again-command.ts';
import { CLEAN_ENDED_CREATIONS, makeDueAgain } from './ended.ts';

const SOON_MS = 20_000;
const ANY = { since: undefined, flow: undefined, orderIds: undefined };
const LONG_AGO = '2020-01-01T00:00:00Z';

let fixture: OrderFixture;
let api: ApiServer;
let proxy: TcpProxy;
let folder: string;
let namespace: string;

beforeAll(async () => {
  const { apiServerUrl, token, certificate } = world();
  api = connect({ url: apiServerUrl, token, certificate });
  proxy = await startTcpProxy(Number(new URL(apiServerUrl).port));
  namespace = await freshNamespace('again');
  folder = await mkdtemp(join(tmpdir(), 'again-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const url = `https://127.0.0.1:${proxy.port}`;
  await writeKubeconfig(kubeconfig, { url, certificate, token, user: 'admin', namespace });
  fixture = await OrderFixture.open('again', { namespace, kubeconfig });
}, 30_000);
afterAll(async () => {
  await fixture.close();
  await api.close();
  await proxy.close();
  await rm(folder, { recursive: true });
});

/** An order that a customer placed and whose creation has ended here; its transaction is still in the API server. */
async function ended(how: 'confirm' | 'cancel' = 'confirm'): Promise<{ orderId: string; name: string }> {
  const { body } = await placeOrder(fixture.service.url);
  const { orderId, transaction: name } = body;
  await fixture.transactionSoon(name);
  await done(fixture.creation(orderId), 'try', how);
  expect(await fixture.outbox(orderId)).toEqual([]);
  return { orderId, name };
}

/** As an API server has it whose etcd was put back to before the creation. */
async function lose(name: string): Promise<void> {
  const path = `/apis/ordertx.dev/v1alpha1/namespaces/${namespace}/ordertransactions/${name}`;
  await api.request('PATCH', path, { metadata: { annotations: { 'ordertx.dev/abandon': 'a test' } } });
  expect((await api.request('DELETE', path)).status).toBe(200);
}

async function creations(args: string, stdin?: string): Promise<{ code: number; output: string }> {
  const lines: string[] = [];
  const code = await againCommand({
    ...{
      args: args.split(' ').filter((word) => word !== ''),
      databaseUrl: fixture.service.databaseUrl,
      keptDays: 7,
      print: (line) => lines.push(line),
    },
    ...(stdin !== undefined && { stdin: Readable.from([stdin]) }),
  });
  return { code, output: lines.join('\n') };
}

interface EndedRow {
  readonly failures: number;
  readonly last_error: string | null;
  readonly due_at: Date | null;
}

async function endedRow(orderId: string): Promise<EndedRow | undefined> {
  const { rows } = await fixture.service.database.query<EndedRow>(
    'select failures, last_error, due_at from ended_creation where order_id = $1',
    [orderId],
  );
  return rows[0];
}

async function madeAgain(orderId: string): Promise<void> {
  await waitFor(async () => (await endedRow(orderId))?.due_at === null, {
    ...{ what: `the creation of ${orderId} to be made again`, deadlineMs: SOON_MS, everyMs: 20 },
  });
}

test.each(['confirm', 'cancel'] as const)(
  'after its %s a creation is kept, and made again as it was; its branch answers from the fence and nothing changes',
  async (how) => {
    const { orderId, name } = await ended(how);
    const first = await fixture.transactionSoon(name);
    await lose(name);
    const before = await fixture.seen(orderId);

    expect(await creations(`--order ${orderId}`)).toEqual({
      code: 0,
      output: 'created again, within about 1 s, by the running service: 1 create-order',
    });
    await madeAgain(orderId);
    const again = await fixture.transactionSoon(name);
    expect(again.metadata.uid).not.toBe(first.metadata.uid);
    const made = ({ spec, metadata: { annotations } }: OrderTransaction) => ({ spec, annotations });
    expect(made(again)).toEqual(made(first));
    await done(fixture.creation(orderId), how);
    expect(await fixture.seen(orderId)).toEqual(before);
    expect(await fixture.outbox(orderId)).toEqual([]);
  },
);

test('what was made again is not repeated: removed once more, it stays away until somebody asks again', async () => {
  const { orderId, name } = await ended();
  await lose(name);
  await creations(`--order ${orderId}`);
  await madeAgain(orderId);
  await lose(name);
  const { orderId: other } = await ended();
  await creations(`--order ${other}`);
  // Whoever was due before the other one would have been made before it.
  await madeAgain(other);
  expect(await fixture.transaction(name)).toBeUndefined();
});

test('a transaction that is still there settles it: nothing is made twice', async () => {
  const { orderId, name } = await ended();
  const { uid } = (await fixture.transactionSoon(name)).metadata;
  await creations(`--order ${orderId}`);
  await madeAgain(orderId);
  expect((await fixture.transactionSoon(name)).metadata.uid).toBe(uid);
});

test('with the API server away it stays due, says why, and is made when the API server is back', async () => {
  const { orderId, name } = await ended();
  await lose(name);
  proxy.break('cut');
  await creations(`--order ${orderId}`);
  await waitFor(async () => ((await endedRow(orderId))?.failures ?? 0) > 0, {
    ...{ what: 'an attempt in vain', deadlineMs: SOON_MS },
  });
  expect(await endedRow(orderId)).toMatchObject({ last_error: expect.stringContaining('API server') });
  proxy.heal();
  await madeAgain(orderId);
  expect(await endedRow(orderId)).toMatchObject({ failures: 0, last_error: null });
  expect(await fixture.transaction(name)).toBeDefined();
});

describe('of all that ended, those are chosen', () => {
  test('which ended since the time that is given, and a dry run chooses without making', async () => {
    const { orderId: before } = await ended();
    // A Date has no microseconds: rounded down, it would be before what ended in the same millisecond.
    const { rows } = await fixture.service.database.query<{ now: Date }>(
      `select clock_timestamp() + interval '1 millisecond' as now`,
    );
    const { orderId: after } = await ended('cancel');
    const since = rows[0]!.now.toISOString();
    expect(await creations(`--since ${since} --dry-run`)).toEqual({
      code: 0,
      output: 'would be created again: 1 create-order',
    });
    expect(await endedRow(after)).toMatchObject({ due_at: null });
    expect((await creations(`--since ${since} --per-second 1`)).output).toContain('1 create-order');
    expect((await endedRow(before))?.due_at).toBeNull();
    await madeAgain(after);
  });

  test('of the flow that is given; orders come before their payments and closes, the longest ended first', async () => {
    const orderId = fixture.newId();
    const rows = ['pay-order', 'create-order', 'close-order'].map((flow, index) => [flow, index] as const);
    for (const [flow, index] of rows) {
      await fixture.service.database.query(
        `insert into ended_creation (transaction, flow, order_id, payload, traceparent, created_at, ended_at)
         values ($1, $2, $3, '{}', '', now(), now() + make_interval(secs => $4))`,
        [`${namespace}/${flow}-${orderId}`, flow, orderId, index],
      );
    }
    expect((await creations(`--order ${orderId} --flow pay-order --dry-run`)).output).toBe(
      'would be created again: 1 pay-order',
    );
    // So slow that nobody takes the later two; the first is nonsense that is refused, and put off for some minutes at most.
    await makeDueAgain(fixture.service.database, { ...ANY, orderIds: [orderId] }, 0.001);
    const { rows: due } = await fixture.service.database.query<{ flow: string }>(
      'select flow from ended_creation where order_id = $1 order by due_at',
      [orderId],
    );
    expect(due.map(({ flow }) => flow)).toEqual(['create-order', 'pay-order', 'close-order']);
    await fixture.service.database.query('delete from ended_creation where order_id = $1', [orderId]);
  });

  test('whose order is named, also by what another command prints', async () => {
    const [one, two, three] = [await ended(), await ended(), await ended()];
    const answer = await creations('--orders-from - --dry-run', `${one.orderId}\n${two.orderId}\n`);
    expect(answer).toEqual({ code: 0, output: 'would be created again: 2 create-order' });
    expect(await creations('--orders-from - --dry-run', '')).toEqual({
      code: 0,
      output: 'no other ended creation is kept that fits',
    });
    expect(await endedRow(three.orderId)).toMatchObject({ due_at: null });
  });
});

test('what ended longer ago than it is kept is forgotten, and the command says that it is not there any more', async () => {
  const { orderId: old } = await ended();
  const { orderId: young } = await ended();
  const { database } = fixture.service;
  await database.query(`update ended_creation set ended_at = now() - interval '8 days' where order_id = $1`, [old]);
  expect(await cleanInBatches(database, { statement: CLEAN_ENDED_CREATIONS, retentionDays: 7 })).toBe(1);
  expect(await endedRow(old)).toBeUndefined();
  expect(await endedRow(young)).toBeDefined();
  expect((await creations(`--since ${LONG_AGO} --dry-run`)).output).toMatch(
    /^ended creations are kept for 7 days: those before that cannot be made again\n/,
  );
});

test.each([
  ['', /--since must say from when on/],
  ['--since yesterday', /--since must be a time as RFC 3339/],
  ['--since 2026-11-26', /--since must be a time as RFC 3339/],
  ['--since 2999-01-01T00:00:00Z', /must not lie in the future/],
  [`--since ${LONG_AGO} --flow refund`, /--flow must be one of/],
  [`--since ${LONG_AGO} --per-second 0`, /--per-second must be/],
  ['--orders-from nowhere.txt', /--orders-from must be a file/],
  [`--since ${LONG_AGO} --force`, /force/],
])('`creations again %s` is refused with what is wrong and how it is used', async (args, complaint) => {
  const { code, output } = await creations(args);
  expect({ code, output }).toEqual({ code: 2, output: expect.stringMatching(complaint) });
  expect(output).toContain('creations again --since');
});

test('without its database it says that nobody knows, and ends with 1', async () => {
  const lines: string[] = [];
  const args = ['--since', LONG_AGO];
  const databaseUrl = 'postgres://nobody@127.0.0.1:1/nowhere';
  expect(await againCommand({ args, databaseUrl, keptDays: 7, print: (line) => lines.push(line) })).toBe(1);
  expect(lines.join()).toContain('it is not known whether anything was changed');
});
