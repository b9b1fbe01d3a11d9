/** Two replicas and one Lease in a real API server; each has its own clock, which the test moves. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { adminTransport, expectOk } from '../../../tests/world/api-client.ts';
import { startTcpProxy, type TcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { freshNamespace, world } from '../../../tests/world/world.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { Lease } from './lease.ts';
import { LEASES, pathOf } from './stored-object.ts';
import type { HttpTransport } from './transport.ts';

const direct = adminTransport();
let namespace: string;
let proxy: TcpProxy;
let behindProxy: HttpTransport;

function replica(identity: string, transport = direct) {
  const clock = new ManualClock(Date.UTC(2030, 0, 1) + Math.random() * 1e10);
  return { clock, lease: new Lease({ transport, clock, namespace, name: 'work', identity }) };
}

/** A round of shards.ts, and whether it is this replica's then. */
async function round({ lease }: { readonly lease: Lease }): Promise<boolean> {
  await lease.refresh();
  return lease.owns();
}

function stored(): Promise<{
  metadata: { annotations?: object };
  spec: { holderIdentity?: string; leaseTransitions: number };
}> {
  return expectOk(direct, { method: 'GET', path: pathOf(LEASES, namespace, 'work') });
}

beforeAll(async () => {
  proxy = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
});

beforeEach(async () => {
  namespace = await freshNamespace('lease');
  behindProxy = adminTransport(proxy.port);
});

afterEach(async () => {
  proxy.heal();
  await behindProxy.close();
});

afterAll(async () => {
  await Promise.all([direct.close(), proxy.close()]);
});

test('of many who want it at once, one gets it', async () => {
  const replicas = Array.from({ length: 8 }, (_, index) => replica(`r${index}`));
  const got = await Promise.all(replicas.map(round));
  expect(got.filter(Boolean)).toHaveLength(1);
  expect((await stored()).spec.holderIdentity).toBe(`r${got.indexOf(true)}`);
});

test('while the holder renews nobody else takes it, however long that goes on', async () => {
  const [a, b] = [replica('a'), replica('b')];
  expect(await round(a)).toBe(true);
  for (let i = 0; i < 30; i += 1) {
    await Promise.all([a.clock.advance(2_000), b.clock.advance(2_000)]);
    expect([await round(a), await round(b)]).toEqual([true, false]);
  }
});

test('a holder that falls silent is succeeded after the Lease’s duration, as the successor’s own clock counts it', async () => {
  const [a, b] = [replica('a'), replica('b')];
  await round(a);
  expect(await round(b)).toBe(false);
  await b.clock.advance(10_000);
  expect(await round(b)).toBe(false);
  await b.clock.advance(1);
  expect(await round(b)).toBe(true);
  expect((await stored()).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
});

test('a holder that can renew no more goes on until it sees another, who took over meanwhile', async () => {
  const [a, b] = [replica('a', behindProxy), replica('b')];
  await round(a);
  await round(b);
  proxy.break('cut');
  await Promise.all([a.clock.advance(15_001), b.clock.advance(15_001)]);
  expect([await round(a), await round(b)]).toEqual([true, true]);
  await a.clock.advance(3_600_000);
  expect(a.lease.owns()).toBe(true);
  proxy.heal();
  expect(await round(a)).toBe(false);
});

test('a holder that was stopped for a while goes on at once, and stops when it sees who took over', async () => {
  const [a, b] = [replica('a'), replica('b')];
  await round(a);
  await round(b);
  await a.clock.advance(60_000);
  expect(a.lease.owns()).toBe(true);
  await b.clock.advance(15_001);
  expect(await round(b)).toBe(true);
  expect(await round(a)).toBe(false);
});

test('answers that come as late as requests are patient for cost nobody the Lease', async () => {
  const late = await startTcpProxy(Number(new URL(world().apiServerUrl).port));
  const slow = adminTransport(late.port);
  const [a, b] = [replica('a', slow), replica('b', slow)];
  await round(a);
  late.delayAnswers(3_500);
  // Both clocks run with the real time here: what is waited for is the answers.
  for (let i = 0; i < 3; i += 1) {
    const rounds = Promise.all([round(a), round(b)]);
    await Promise.all([a.clock.advance(5_500), b.clock.advance(5_500)]);
    expect(await rounds).toEqual([true, false]);
  }
  await Promise.all([slow.close(), late.close()]);
});

test('where it cannot be read at all, nobody waits for longer than its duration and a half', async () => {
  const a = replica('a', behindProxy);
  proxy.break('cut');
  expect(await round(a)).toBe(false);
  await a.clock.advance(15_000);
  expect(a.lease.owns()).toBe(false);
  await a.clock.advance(1);
  expect(a.lease.owns()).toBe(true);
  expect(a.lease.trouble()).toContain('the API server gave no answer');
  proxy.heal();
  expect(await round(a)).toBe(true);
  expect((await stored()).spec.holderIdentity).toBe('a');
  expect(a.lease.trouble()).toBeUndefined();
});

test('where it could not be read at first, a living holder that is found then is given way to, once it has written', async () => {
  const [a, b] = [replica('a'), replica('b', behindProxy)];
  await round(a);
  proxy.break('cut');
  await round(b);
  await b.clock.advance(22_501);
  expect(b.lease.owns()).toBe(true);
  proxy.heal();
  expect(await round(b)).toBe(true);
  expect((await stored()).spec.holderIdentity).toBe('a');
  await a.clock.advance(2_000);
  await round(a);
  expect(await round(b)).toBe(false);
  expect((await stored()).spec.holderIdentity).toBe('a');
});

test('in a namespace that is being deleted the holder goes on, its successor begins, and both say why', async () => {
  const a = replica('a');
  await round(a);
  await expectOk(direct, { method: 'DELETE', path: `/api/v1/namespaces/${namespace}` });
  await expectOk(direct, { method: 'DELETE', path: pathOf(LEASES, namespace, 'work') });
  expect(await round(a)).toBe(true);
  await a.clock.advance(3_600_000);
  expect(await round(a)).toBe(true);
  expect(a.lease.trouble()).toContain('because it is being terminated');
  const b = replica('b');
  expect(await round(b)).toBe(false);
  await b.clock.advance(22_501);
  expect(await round(b)).toBe(true);
  expect(b.lease.trouble()).toContain('because it is being terminated');
});

test('a renewal whose answer was lost does not cost the Lease', async () => {
  const a = replica('a');
  await round(a);
  // As if another process of ours had renewed it: the copy we hold is not the stored one any more.
  const path = pathOf(LEASES, namespace, 'work');
  await expectOk(direct, { method: 'PATCH', path, body: { spec: { renewTime: '2031-01-01T00:00:00.000000Z' } } });
  await a.clock.advance(9_000);
  expect(await round(a)).toBe(true);
  expect((await stored()).spec.holderIdentity).toBe('a');
});

test('released, it is taken at once', async () => {
  const [a, b] = [replica('a'), replica('b')];
  await round(a);
  await round(b);
  await a.lease.release();
  expect(a.lease.owns()).toBe(false);
  expect((await stored()).spec.holderIdentity).toBeUndefined();
  expect(await round(b)).toBe(true);
});

test('given up for one who asked, it is that one’s, and anyone’s if the one who asked never comes', async () => {
  const [a, b, c] = [replica('a'), replica('b'), replica('c')];
  await round(a);
  await round(b);
  await b.lease.ask();
  await round(a);
  expect([a.lease.owns(), a.lease.wantedBy()]).toEqual([true, 'b']);
  await a.lease.handOver('b');
  // Until somebody is seen to have taken it, it is done by who gave it up.
  expect([await round(c), await round(a)]).toEqual([false, true]);
  await c.clock.advance(10_001);
  expect([await round(c), await round(a)]).toEqual([true, false]);
  expect((await stored()).metadata.annotations).toBeUndefined();
});

test('asking is no sign of life of the holder’s', async () => {
  const [a, b, c] = [replica('a'), replica('b'), replica('c')];
  await round(a);
  await Promise.all([round(b), round(c)]);
  await b.clock.advance(9_000);
  await c.lease.ask();
  expect(await round(b)).toBe(false);
  await b.clock.advance(1_001);
  expect(await round(b)).toBe(true);
});

test('a process that comes back under its old name goes on at once', async () => {
  await round(replica('a'));
  expect(await round(replica('a'))).toBe(true);
});

test('a Lease that somebody deleted is made again', async () => {
  const a = replica('a');
  await round(a);
  await expectOk(direct, { method: 'DELETE', path: pathOf(LEASES, namespace, 'work') });
  expect(await round(a)).toBe(true);
  expect((await stored()).spec.holderIdentity).toBe('a');
});
