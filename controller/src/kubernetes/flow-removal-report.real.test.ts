/** Every flow says whether what has ended is removed, and is written only when that changes. */
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { waitFor } from '../../../local/deadline.ts';
import { memoryLog } from '../../../services/kit/testing/memory-log.ts';
import { adminTransport, createFlow, expectOk } from '../../../tests/world/api-client.ts';
import { freshNamespace } from '../../../tests/world/world.ts';
import type { Trouble } from '../removal/ports.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { FlowRemovalReport } from './flow-removal-report.ts';
import { Informers } from './informers.ts';
import { failure } from './leases-fake.ts';
import { FLOWS, pathOf } from './stored-object.ts';
import type { ApiAnswer, ApiRequest, Transport } from './transport.ts';

const ARCHIVE: Trouble = { of: 'archive', message: 'connect ECONNREFUSED 10.0.0.9:5432' };
const API: Trouble = { of: 'api', message: 'forbidden' };
const { signal } = new AbortController();

const direct = adminTransport();
let namespace: string;
let flows: Informers<TransactionFlow>;
let writes: number;
let refuses: boolean;

const noted: Transport = {
  host: direct.host,
  request: async <T>(request: ApiRequest) => {
    if (request.method === 'PATCH') writes += 1;
    const answer: ApiAnswer<T> = refuses
      ? failure(403, 'Forbidden', 'no right to patch')
      : await direct.request<T>(request);
    return answer;
  },
  stream: (path, query, abort) => direct.stream(path, query, abort),
  close: () => direct.close(),
};

beforeEach(async () => {
  namespace = await freshNamespace('report');
  writes = 0;
  refuses = false;
  flows = new Informers<TransactionFlow>(FLOWS, [namespace], {
    ...{ transport: direct, clock: systemClock, log: silentLog },
  });
  for (const name of ['one', 'two']) await createFlow(direct, namespace, name);
  flows.start();
  await flows.whenSynced();
});
afterEach(() => flows.stop());
afterAll(() => direct.close());

const report = (log = silentLog) => new FlowRemovalReport({ transport: noted, flows, apiClock: systemClock, log });

const stored = (name: string) =>
  expectOk<TransactionFlow>(direct, { method: 'GET', path: pathOf(FLOWS, namespace, name) });

const conditionOf = async (name: string) =>
  (await stored(name)).status?.conditions?.find(({ type }) => type === 'RemovalFailing');

/** The informer has what is stored. */
const heard = (...names: readonly string[]) =>
  waitFor(
    async () => {
      const all = await Promise.all(names.map(stored));
      return all.every(({ metadata }) => {
        return flows.get(`${namespace}/${metadata.name}`)?.metadata.resourceVersion === metadata.resourceVersion;
      });
    },
    { what: 'the watch to have told of it', deadlineMs: 15_000, everyMs: 10 },
  );

test('a flow is written when it begins, when the reason changes and when it is over, and not in between', async () => {
  const first = report();
  await first.looked(undefined, signal);
  expect(writes).toBe(0);

  for (let look = 0; look < 3; look += 1) {
    await first.looked({ ...ARCHIVE, message: `connect ETIMEDOUT, the ${look}th` }, signal);
    await heard('one', 'two');
  }
  expect(writes).toBe(2);
  const away = await conditionOf('one');
  expect(away).toMatchObject({ status: 'True', reason: 'ArchiveUnavailable' });
  expect(away?.message).not.toContain('connect');
  expect((await stored('one')).metadata.generation).toBe(1);

  await first.looked(API, signal);
  await heard('one', 'two');
  expect(await conditionOf('one')).toMatchObject({ status: 'True', reason: 'NotRemoved' });
  expect((await conditionOf('one'))?.lastTransitionTime).toBe(away?.lastTransitionTime);

  // Another replica, which knows nothing of it.
  const successor = report();
  for (let look = 0; look < 3; look += 1) {
    await successor.looked(undefined, signal);
    await heard('one', 'two');
  }
  expect(writes).toBe(6);
  expect(await conditionOf('one')).toMatchObject({ status: 'False', reason: 'Removing' });
});

test('a flow that comes meanwhile is told, and what others say of a flow stays', async () => {
  const other = { type: 'Audited', status: 'True', reason: 'ByHand', lastTransitionTime: '2026-01-01T00:00:00Z' };
  const path = `${pathOf(FLOWS, namespace, 'one')}/status`;
  await expectOk(direct, { method: 'PATCH', path, body: { status: { conditions: [other] } } });
  await heard('one');
  const one = report();
  await one.looked(ARCHIVE, signal);
  await createFlow(direct, namespace, 'three');
  await heard('one', 'two', 'three');
  await one.looked(ARCHIVE, signal);
  expect(await conditionOf('three')).toMatchObject({ status: 'True' });
  expect((await stored('one')).status?.conditions).toEqual([
    other,
    expect.objectContaining({ type: 'RemovalFailing', status: 'True' }),
  ]);
  expect(writes).toBe(3);
});

test('a missing right is logged once, and a copy that is stale does no harm', async () => {
  const { log, lines } = memoryLog();
  const one = report(log);
  refuses = true;
  for (let look = 0; look < 3; look += 1) await one.looked(ARCHIVE, signal);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ message: 'no right to patch' });
  refuses = false;

  const stale = flows.get(`${namespace}/one`);
  await expectOk(direct, {
    ...{ method: 'PATCH', path: pathOf(FLOWS, namespace, 'one') },
    body: { metadata: { labels: { team: 'shop' } } },
  });
  await heard('one');
  const behind = { list: () => [stale] } as unknown as Informers<TransactionFlow>;
  await new FlowRemovalReport({ transport: noted, flows: behind, apiClock: systemClock, log }).looked(ARCHIVE, signal);
  expect(await conditionOf('one')).toBeUndefined();
  await one.looked(ARCHIVE, signal);
  expect(await conditionOf('one')).toMatchObject({ status: 'True' });
  expect(lines).toHaveLength(1);
});
