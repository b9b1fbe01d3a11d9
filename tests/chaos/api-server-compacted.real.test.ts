/**
 * The controller was away for longer than etcd keeps its history, so its watch cannot be continued from where it was.
 *
 * etcd is really compacted, and the API server has no watch cache here: else it would answer from that for a while, and
 * the refusal would not be etcd's.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../../local/deadline.ts';
import { forgetHistory } from './api-server-etcd.ts';
import { openApiServerShop, TEA, type ApiServerShop } from './api-server-shop.ts';

const OPEN_MS = 120_000;
const STORY_MS = 90_000;
const KNOWN_MS = 30_000;

let world: ApiServerShop;

beforeAll(async () => {
  world = await openApiServerShop('compacted', { apiserverFlags: ['--watch-cache=false'] });
}, OPEN_MS);

afterAll(() => world.close(), OPEN_MS);

/** What the API server says to whoever wants to watch on from there. */
async function watchFrom(version: string): Promise<unknown> {
  const path = world.shop.pathOf('ordertransactions');
  const query = `watch=true&timeoutSeconds=5&resourceVersion=${version}`;
  return (await world.own.admin.request('GET', `${path}?${query}`)).body;
}

test(
  'its history gone, everything is listed once more: what was changed, created and deleted meanwhile is handled',
  async () => {
    const { shop, own, proxy } = world;
    const { pids } = world;
    const suspended = await world.createSuspended('suspended');
    const doomed = await world.createSuspended('doomed');
    const lastSeen = (await shop.transaction(doomed))!.metadata.resourceVersion!;
    const listsBefore = await world.lists();
    expect(await world.metric('ordertx_transactions')).toBe(2);

    await world.cut();
    expect(await shop.patch(suspended, { spec: { suspend: false } })).toBe(200);
    expect(await shop.patch(doomed, { metadata: { annotations: { 'ordertx.dev/abandon': 'a test' } } })).toBe(200);
    expect((await own.admin.request('DELETE', shop.pathOf('ordertransactions', doomed))).status).toBe(200);
    const created = await world.create('created');
    const accepted = await shop.order([TEA]);
    expect(accepted.status).toBe(202);
    await forgetHistory(own.plane.etcdUrl);
    expect(await watchFrom(lastSeen)).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    proxy.heal();

    for (const name of [suspended, created, accepted.body.transaction]) {
      expect((await shop.final(name)).status?.phase).toBe('Succeeded');
    }
    expect(await world.lists()).toBe(listsBefore + 1);
    const knowsNone = async () => (await world.metric('ordertx_transactions')) === 0;
    await waitFor(knowsNone, { what: 'the controller to hold nothing that is gone or rests', deadlineMs: KNOWN_MS });

    const later = await shop.order([TEA], 30);
    expect(later.status).toBe(201);
    expect(await world.lists()).toBe(listsBefore + 1);
    expect(world.pids).toEqual(pids);
  },
  STORY_MS,
);
