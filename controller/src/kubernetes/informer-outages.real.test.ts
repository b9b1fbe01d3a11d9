/**
 * An API server that is killed, forgets old versions or is restored from a snapshot: the informer's copy becomes its
 * own again. This file has a control plane of its own to do that to.
 */
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { startControlPlane, type ControlPlane } from '../../../local/control-plane/start.ts';
import { waitFor } from '../../../local/deadline.ts';
import { openProcessGroup, type ProcessGroup } from '../../../local/process-group.ts';
import { putForeignKey } from '../../../tests/chaos/api-server-etcd.ts';
import { adminTransport, expectOk } from '../../../tests/world/api-client.ts';
import { startTcpProxy, type TcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { Informer, type InformerOptions } from './informer.ts';
import { isNewer, pathOf, type ObjectList, type Resource, type StoredObject } from './stored-object.ts';
import type { ApiRequest, HttpTransport, Transport } from './transport.ts';

const CONFIG_MAPS: Resource = { group: '', version: 'v1', plural: 'configmaps' };
const NAMESPACE = 'default';
const COLLECTION = pathOf(CONFIG_MAPS, NAMESPACE);
const TEST_MS = 120_000;

/** Each goes back to the same versions, so a later one has more to overtake. */
const RESTORES = [
  { how: 'although its versions are older', name: 'older', signal: 'SIGKILL', foreignPuts: 0 },
  { how: 'although its versions have overtaken ours', name: 'overtaken', signal: 'SIGKILL', foreignPuts: 300 },
  { how: 'although the watch was ended politely', name: 'politely', signal: 'SIGTERM', foreignPuts: 900 },
] as const;

let group: ProcessGroup;
let plane: ControlPlane;
let proxy: TcpProxy;
let direct: HttpTransport;
let behindProxy: HttpTransport;
let informer: Informer<StoredObject>;
let listsTaken = 0;

function noted(beforeContinue: (token: string) => Promise<void> = () => Promise.resolve()): Transport {
  return {
    host: behindProxy.host,
    request: async <T>(request: ApiRequest) => {
      if (request.query?.continue !== undefined) await beforeContinue(request.query.continue);
      return behindProxy.request<T>(request);
    },
    stream: (path, query, signal) => {
      return behindProxy.stream(path, query, signal);
    },
    close: () => behindProxy.close(),
  };
}

async function start(transport = noted(), options: Partial<InformerOptions> = {}): Promise<void> {
  informer = new Informer({ transport, path: COLLECTION, clock: systemClock, log: silentLog, ...options });
  informer.onList(() => (listsTaken += 1));
  informer.start();
  await informer.whenSynced();
}

const until = (what: string, ask: () => boolean | Promise<boolean>) =>
  waitFor(async () => ask(), { what, deadlineMs: 30_000, everyMs: 20 });

const create = (name: string) =>
  expectOk<StoredObject>(direct, { method: 'POST', path: COLLECTION, body: { metadata: { name } } });
const remove = (name: string) => expectOk(direct, { method: 'DELETE', path: pathOf(CONFIG_MAPS, NAMESPACE, name) });
const has = (name: string) => informer.get(`${NAMESPACE}/${name}`) !== undefined;

async function restartApiServer(): Promise<void> {
  plane.apiserver.process.kill('SIGKILL');
  await plane.apiserver.process.exited;
  await plane.apiserver.restart();
}

beforeAll(async () => {
  group = await openProcessGroup();
  // As often as it can be, so that a version is forgotten seconds after it was current; the default is five minutes.
  plane = await startControlPlane(group, {
    unsafeNoFsync: true,
    apiserverFlags: ['--etcd-compaction-interval=1s'],
  });
  proxy = await startTcpProxy(Number(new URL(plane.url).port));
  direct = adminTransport(undefined, plane.kubeconfig);
  behindProxy = adminTransport(proxy.port, plane.kubeconfig);
  await until('the default namespace', async () => {
    const answer = await direct.request({ method: 'GET', path: `/api/v1/namespaces/${NAMESPACE}` });
    return answer.kind === 'ok';
  });
  // One for all that are restored: an API server takes seconds to start, and finds an etcd again that was away for a moment.
  for (const { name } of RESTORES) await create(`${name}-kept`);
  await withoutEtcd(() => cp(etcdData(), snapshot(), { recursive: true }));
  await until('etcd to be found again', async () => {
    const answer = await direct.request({ method: 'GET', path: COLLECTION });
    return answer.kind === 'ok';
  });
}, TEST_MS);

afterEach(async () => {
  proxy.heal();
  await informer.stop();
  listsTaken = 0;
});

afterAll(async () => {
  await Promise.all([direct.close(), behindProxy.close(), proxy.close()]);
  await plane.admin.close();
  await group.close();
}, TEST_MS);

test(
  'an API server that was killed is listened to again as soon as it is back',
  async () => {
    await create('before-the-kill');
    await start();
    await restartApiServer();
    await create('after-the-kill');
    await until('what came after', () => has('after-the-kill'));
    expect(has('before-the-kill')).toBe(true);
  },
  TEST_MS,
);

test(
  'a watch from a version that is forgotten is followed by a list, which tells what was missed',
  async () => {
    await create('stays');
    await create('goes-unseen');
    await start();
    const changes: string[] = [];
    informer.onChange((key, object) => changes.push(`${key.split('/')[1]!} ${object ? 'there' : 'gone'}`));
    proxy.break('cut');
    await remove('goes-unseen');
    await create('comes-unseen');
    // A new API server remembers nothing from before its own start.
    await restartApiServer();
    proxy.heal();
    await until('what was missed', () => changes.length === 2);
    expect(changes.sort()).toEqual(['comes-unseen there', 'goes-unseen gone']);
    expect([has('stays'), has('goes-unseen'), has('comes-unseen')]).toEqual([true, false, true]);
    expect(listsTaken).toBe(2);
  },
  TEST_MS,
);

test(
  'a list whose next page has expired is begun again, and the 410 says where one may go on instead',
  async () => {
    for (let i = 0; i < 5; i += 1) await create(`page-${i}`);
    let expired = 0;
    let goesOnAt: string | undefined;
    const wait = async (token: string): Promise<void> => {
      if (expired > 0) return;
      await until('the page to expire', async () => {
        // Compaction forgets what was overwritten, so something has to be.
        await create(`churn-${Date.now()}`);
        const query = { limit: '2', continue: token };
        const answer = await direct.request({ method: 'GET', path: COLLECTION, query });
        if (answer.kind !== 'error' || answer.error.status !== 410) return false;
        goesOnAt = answer.error.continue;
        return true;
      });
      expired += 1;
    };
    await start(noted(wait), { pageObjectsMax: 2 });
    expect(expired).toBe(1);
    expect([0, 1, 2, 3, 4].every((i) => has(`page-${i}`))).toBe(true);
    await create('after-the-list');
    await until('what came after', () => has('after-the-list'));
    const query = { limit: '10000', continue: goesOnAt ?? 'none' };
    const rest = await expectOk<ObjectList<StoredObject>>(direct, { method: 'GET', path: COLLECTION, query });
    const names = rest.items.map(({ metadata }) => metadata.name);
    expect(names).toContain('page-4');
    expect(names).not.toContain('after-the-list');
  },
  TEST_MS,
);

const etcdData = (): string => join(group.folder, 'control-plane', 'etcd');
const snapshot = (): string => join(group.folder, 'snapshot');

async function withoutEtcd(act: () => Promise<void>): Promise<void> {
  plane.etcd.process.kill('SIGTERM');
  await plane.etcd.process.exited;
  await act();
  await plane.etcd.restart();
}

/** Puts back what etcd had at the snapshot, as a restore does, by this signal to the API server. */
async function putBack(signal: 'SIGTERM' | 'SIGKILL', foreignPuts: number): Promise<void> {
  plane.apiserver.process.kill(signal);
  await plane.apiserver.process.exited;
  await withoutEtcd(async () => {
    await rm(etcdData(), { recursive: true });
    await cp(snapshot(), etcdData(), { recursive: true });
  });
  await putForeignKey(plane.etcdUrl, foreignPuts);
  await plane.apiserver.restart();
}

const newestHeld = () =>
  [...informer.list()].map(({ metadata }) => metadata.resourceVersion!).reduce((a, b) => (isNewer(a, b) ? a : b));

test.each(RESTORES)(
  'an etcd that was restored from a snapshot is believed, $how',
  async ({ name, signal, foreignPuts }) => {
    await start();
    expect(has(`${name}-kept`)).toBe(true);
    for (let i = 0; i < 20; i += 1) await create(`${name}-lost-${i}`);
    await remove(`${name}-kept`);
    await create(`${name}-lost-last`);
    await until('all of it', () => has(`${name}-lost-last`) && !has(`${name}-kept`));
    const newest = newestHeld();
    // The controller is away while the store is put back, so that what it sees first has gone on already.
    proxy.break('cut');
    await putBack(signal, foreignPuts);
    const created = await create(`${name}-after`);
    expect(isNewer(created.metadata.resourceVersion!, newest)).toBe(foreignPuts > 0);
    proxy.heal();
    await until('the restored state', () => has(`${name}-kept`) && has(`${name}-after`));
    expect([...informer.list()].filter(({ metadata }) => metadata.name.startsWith(`${name}-lost`))).toEqual([]);
    await create(`${name}-later`);
    await until('what came later', () => has(`${name}-later`));
  },
  TEST_MS,
);
