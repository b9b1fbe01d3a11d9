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
import { adminTransport, expectOk } from '../../../tests/world/api-client.ts';
import { startTcpProxy, type TcpProxy } from '../../../tests/world/tcp-proxy.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { Informer, type InformerOptions } from './informer.ts';
import { isNewer, pathOf, type Resource, type StoredObject } from './stored-object.ts';
import type { ApiRequest, HttpTransport, Transport } from './transport.ts';

const CONFIG_MAPS: Resource = { group: '', version: 'v1', plural: 'configmaps' };
const NAMESPACE = 'default';
const COLLECTION = pathOf(CONFIG_MAPS, NAMESPACE);
const TEST_MS = 120_000;

let group: ProcessGroup;
let plane: ControlPlane;
let proxy: TcpProxy;
let direct: HttpTransport;
let behindProxy: HttpTransport;
let informer: Informer<StoredObject>;
const asked: string[] = [];

function noted(beforeContinue: (token: string) => Promise<void> = () => Promise.resolve()): Transport {
  return {
    host: behindProxy.host,
    request: async <T>(request: ApiRequest) => {
      asked.push(`list ${request.query?.limit ?? ''}`);
      if (request.query?.continue !== undefined) await beforeContinue(request.query.continue);
      return behindProxy.request<T>(request);
    },
    stream: (path, query, signal) => {
      asked.push('watch');
      return behindProxy.stream(path, query, signal);
    },
    close: () => behindProxy.close(),
  };
}

async function start(transport = noted(), options: Partial<InformerOptions> = {}): Promise<void> {
  informer = new Informer({ transport, path: COLLECTION, clock: systemClock, log: silentLog, ...options });
  informer.start();
  await informer.whenSynced();
}

const until = (what: string, ask: () => boolean | Promise<boolean>) =>
  waitFor(async () => ask(), { what, deadlineMs: 30_000, everyMs: 20 });

const create = (name: string) =>
  expectOk<StoredObject>(direct, { method: 'POST', path: COLLECTION, body: { metadata: { name } } });
const remove = (name: string) => expectOk(direct, { method: 'DELETE', path: pathOf(CONFIG_MAPS, NAMESPACE, name) });
const has = (name: string) => informer.get(`${NAMESPACE}/${name}`) !== undefined;
const lists = () => asked.filter((request) => request.startsWith('list 500')).length;

async function restartApiServer(between: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  plane.apiserver.process.kill('SIGKILL');
  await plane.apiserver.process.exited;
  await between();
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
}, TEST_MS);

afterEach(async () => {
  proxy.heal();
  await informer.stop();
  asked.length = 0;
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
    expect(lists()).toBe(2);
  },
  TEST_MS,
);

test(
  'a list whose next page has expired is begun again',
  async () => {
    for (let i = 0; i < 5; i += 1) await create(`page-${i}`);
    let expired = 0;
    const wait = async (token: string): Promise<void> => {
      if (expired > 0) return;
      await until('the page to expire', async () => {
        // Compaction forgets what was overwritten, so something has to be.
        await create(`churn-${Date.now()}`);
        const query = { limit: '2', continue: token };
        const answer = await direct.request({ method: 'GET', path: COLLECTION, query });
        return answer.kind === 'error' && answer.error.status === 410;
      });
      expired += 1;
    };
    await start(noted(wait), { pageObjectsMax: 2 });
    expect(expired).toBe(1);
    expect([0, 1, 2, 3, 4].every((i) => has(`page-${i}`))).toBe(true);
    await create('after-the-list');
    await until('what came after', () => has('after-the-list'));
  },
  TEST_MS,
);

test(
  'an etcd that was restored from a snapshot is believed, although its versions are older',
  async () => {
    const data = join(group.folder, 'control-plane', 'etcd');
    const snapshot = join(group.folder, 'snapshot');
    const withoutEtcd = async (act: () => Promise<void>): Promise<void> => {
      plane.etcd.process.kill('SIGTERM');
      await plane.etcd.process.exited;
      await act();
      await plane.etcd.restart();
    };
    await create('in-the-snapshot');
    await restartApiServer(() => withoutEtcd(() => cp(data, snapshot, { recursive: true })));
    for (let i = 0; i < 20; i += 1) await create(`lost-${i}`);
    await remove('in-the-snapshot');
    await start();
    const newest = [...informer.list()]
      .map(({ metadata }) => metadata.resourceVersion!)
      .reduce((a, b) => (isNewer(a, b) ? a : b));
    expect([has('lost-19'), has('in-the-snapshot')]).toEqual([true, false]);
    await restartApiServer(() =>
      withoutEtcd(async () => {
        await rm(data, { recursive: true });
        await cp(snapshot, data, { recursive: true });
      }),
    );
    await until('the restored state', () => has('in-the-snapshot') && !has('lost-0') && !has('lost-19'));
    const created = await create('after-the-restore');
    expect(isNewer(newest, created.metadata.resourceVersion!)).toBe(true);
    await until('what came after', () => has('after-the-restore'));
  },
  TEST_MS,
);
