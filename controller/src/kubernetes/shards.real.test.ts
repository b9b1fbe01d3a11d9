/** Replicas share the shards among those that are there. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { waitFor } from '../../../local/deadline.ts';
import { adminTransport, expectOk } from '../../../tests/world/api-client.ts';
import { startTcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../tests/world/world.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { LEASES, pathOf, type ObjectList, type StoredObject } from './stored-object.ts';
import { shardOf, Shards } from './shards.ts';
import type { Transport } from './transport.ts';

const direct = adminTransport();
let namespace: string;
const started: Shards[] = [];
const SHARDS = 4;

function start(
  identity: string,
  more: { transport?: Transport; prefix?: string; onHolding?: (lease: string, holding: boolean) => void } = {},
) {
  const shards = new Shards({
    transport: direct,
    clock: systemClock,
    log: silentLog,
    namespace,
    prefix: 'ordertx',
    identity,
    shards: SHARDS,
    // As short as a Lease can be: whole seconds.
    durationMs: 1_000,
    roundMs: 50,
    ...more,
  });
  shards.start();
  started.push(shards);
  return shards;
}

const until = (what: string, ask: () => boolean) =>
  waitFor(async () => ask(), { what, deadlineMs: 15_000, everyMs: 10 });
const countsOf = (...replicas: readonly Shards[]) => replicas.map((replica) => replica.held().length).sort();
interface StoredLease extends StoredObject {
  readonly spec: { readonly holderIdentity?: string };
}
const transaction = (name: string) => ({ metadata: { namespace: 'shop', name } }) as OrderTransaction;

beforeEach(async () => {
  namespace = await freshNamespace('shards');
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((shards) => shards.stop()));
});

afterAll(() => direct.close());

test('one replica alone has all, and says so', async () => {
  const holding: string[] = [];
  let changes = 0;
  const shards = start('a', { onHolding: (lease, held) => holding.push(`${lease} ${held}`) });
  shards.onChange(() => (changes += 1));
  // Not only held: with a slow API server they are by the time that has passed, before a Lease is taken and that is told.
  await until('all shards', () => holding.filter((line) => line.endsWith('true')).length === SHARDS);
  expect(shards.owns(transaction('pay-1'))).toBe(true);
  expect(holding.filter((line) => line.endsWith('false'))).toHaveLength(SHARDS);
  expect(holding.filter((line) => line.endsWith('true')).sort()).toEqual(
    [0, 1, 2, 3].map((shard) => `ordertx-shard-${shard}-of-4 true`),
  );
  expect(changes).toBeGreaterThan(0);
});

describe('replicas that come later', () => {
  test('are given their share, and no shard has two owners', async () => {
    const first = start('a');
    await until('all shards', () => first.held().length === SHARDS);
    const second = start('b');
    await until('an even split', () => countsOf(first, second).join() === '2,2');
    const third = start('c');
    await until('a share for the third', () => countsOf(first, second, third).join() === '1,1,2');
    for (const name of ['pay-1', 'pay-2', 'create-3', 'close-4']) {
      const owners = [first, second, third].filter((shards) => shards.owns(transaction(name)));
      expect(owners).toHaveLength(1);
    }
  });

  test('beyond the number of shards stand by', async () => {
    const replicas = ['a', 'b', 'c', 'd', 'e'].map((identity) => start(identity));
    await until('one each', () => countsOf(...replicas).join() === '0,1,1,1,1');
  });
});

test('what a replica gives back as it stops is the others’ at once', async () => {
  const [first, second] = [start('a'), start('b')];
  await until('an even split', () => countsOf(first, second).join() === '2,2');
  await first.stop();
  expect(first.held()).toEqual([]);
  await until('the rest', () => second.held().length === SHARDS);
});

test('two installations in a namespace each have all of their own, under names and a label that say whose', async () => {
  const [east, west] = [start('a', { prefix: 'east' }), start('b', { prefix: 'west-1' })];
  await until('all shards of both', () => countsOf(east, west).join() === `${SHARDS},${SHARDS}`);
  await east.stop();
  const successor = start('c', { prefix: 'east' });
  await until('what is the successor’s', () => successor.held().length === SHARDS);
  expect(west.held()).toHaveLength(SHARDS);
  const request = { method: 'GET', path: pathOf(LEASES, namespace) } as const;
  const isSo = async (): Promise<boolean> => {
    const { items } = await expectOk<ObjectList<StoredLease>>(direct, request);
    const lines = items.map(
      ({ metadata, spec }) =>
        `${metadata.name} ${metadata.labels?.['ordertx.dev/installation']} ${spec.holderIdentity}`,
    );
    expect(lines.toSorted()).toEqual([
      ...[0, 1, 2, 3].map((shard) => `east-shard-${shard}-of-4 east c`),
      ...[0, 1, 2, 3].map((shard) => `west-1-shard-${shard}-of-4 west-1 b`),
    ]);
    return true;
  };
  // What is held by the time that has passed is written a moment later.
  await waitFor(isSo, { what: 'the Leases to say so', deadlineMs: 15_000 });
});

test('a Lease that was there before there was a label is given it by who holds it', async () => {
  const metadata = { name: 'ordertx-shard-0-of-4', annotations: { note: 'kept' } };
  const spec = { holderIdentity: 'a', leaseDurationSeconds: 1, renewTime: '2026-03-01T12:00:00.000000Z' };
  const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
  await expectOk(direct, { method: 'POST', path: pathOf(LEASES, namespace), body });
  start('a');
  const request = { method: 'GET', path: pathOf(LEASES, namespace, metadata.name) } as const;
  const labelled = async (): Promise<StoredLease | false> => {
    const lease = await expectOk<StoredLease>(direct, request);
    return lease.metadata.labels !== undefined && lease;
  };
  expect((await waitFor(labelled, { what: 'the label', deadlineMs: 15_000 })).metadata).toMatchObject({
    labels: { 'ordertx.dev/installation': 'ordertx' },
    annotations: { note: 'kept' },
  });
});

test('of a replica that loses the API server the others take over, and it gives way when it sees that', async () => {
  const proxy = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
  const cutOff = adminTransport(proxy.port);
  const told: string[] = [];
  const first = start('a', { transport: cutOff, onHolding: (lease, holding) => told.push(`${lease} ${holding}`) });
  const second = start('b');
  await until('an even split', () => countsOf(first, second).join() === '2,2');
  const its = first.held();
  const before = told.length;
  proxy.break('cut');
  await until('all for the other', () => second.held().length === SHARDS);
  // It may by now stand in for the other's as well, which it hears nothing of.
  expect(first.held()).toEqual(expect.arrayContaining([...its]));
  proxy.heal();
  await until('the first to give way', () =>
    its.every((shard) => told.slice(before).includes(`ordertx-shard-${shard}-of-${SHARDS} false`)),
  );
  await until('an even split again', () => countsOf(first, second).join() === '2,2');
  await first.stop();
  await Promise.all([cutOff.close(), proxy.close()]);
});

test('transactions spread evenly over shards', () => {
  const counts = new Map<number, number>();
  for (let i = 0; i < 10_000; i += 1) {
    const shard = shardOf(`shop/create-${i}`, 8);
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  for (const count of counts.values()) expect(Math.abs(count - 1_250)).toBeLessThan(250);
});
