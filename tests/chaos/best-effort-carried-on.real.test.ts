/**
 * A finished transaction whose best-effort message is not through is not forgotten when its controller dies: whoever comes
 * after, by a shard's move or by a start, publishes it on, gives up in the end and lets the transaction expire (T8).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { leaseName, LEASE_PREFIX_DEFAULT } from '../../controller/src/kubernetes/lease-names.ts';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { messagesStream } from '../../services/protocol/src/index.ts';
import { openShop, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;
const CARRIED_THROUGH_MS = 60_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
const FLOW = 'with-best-effort';
/** Nobody hears this stream. */
const UNHEARD = { name: 'sms', when: 'Confirmed', stream: 'unheard', type: 'sms.paid', delivery: 'BestEffort' };
/** The second publication comes 2 to 4 s after the first: every controller below is killed before. */
const UNHURRIED = { initialDelaySeconds: 4, maxDelaySeconds: 4, factor: 2 };

let shop: Shop;
let redis: Redis;
const env = { ORDERTX_LEADER_ELECTION: 'on' };

beforeAll(async () => {
  shop = await openShop('besteffort');
  redis = new Redis(shop.redisUrl);
  await shop.stock('tea', 100);
  await shop.putFlow(FLOW, { retry: UNHURRIED });
  const path = shop.pathOf('transactionflows', FLOW);
  const { status } = await shop.admin.request('PATCH', path, {
    spec: { messages: [{ ...UNHEARD, maxAttempts: 2 }] },
  });
  expect(status).toBe(200);
}, SETUP_MS);

afterAll(async () => {
  redis.disconnect();
  await shop.close();
}, SETUP_MS);

/** Its Lease goes at once: that it runs out by itself is shown elsewhere, and takes its time. */
async function kill({ part }: RunningController): Promise<void> {
  part.process.kill('SIGKILL');
  await part.process.exited;
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${shop.namespace}/leases`;
  expect((await shop.admin.request('DELETE', `${leases}/${leaseName(LEASE_PREFIX_DEFAULT, 0, 1)}`)).status).toBe(200);
}

async function succeededWithOpenMessage(): Promise<string> {
  const { name } = await shop.begin(FLOW, [TEA]);
  const { status } = await shop.transactionWhen(name, 'to have succeeded', ({ status: s }) => s?.phase === 'Succeeded');
  expect([status?.expires, status?.messages?.[0]?.state]).toEqual([undefined, 'Pending']);
  return name;
}

/** The broker loses what is on the stream, over and over: while a publication lies there unheard, no further one is counted. */
async function expectCarriedThrough(name: string): Promise<void> {
  const { status } = await waitFor(
    async () => {
      await redis.del(messagesStream(UNHEARD.stream));
      const transaction = await shop.transaction(name);
      return transaction?.status?.expires === undefined ? undefined : transaction;
    },
    { what: `${name} to expire`, deadlineMs: CARRIED_THROUGH_MS },
  );
  expect(status?.messages).toMatchObject([{ name: 'sms', state: 'GaveUp', attempts: 2 }]);
}

test(
  'a replica that waited beside it takes over with the shard, and one that is started later does so as well',
  async () => {
    const first = await shop.startController({ env });
    // It is there before the message is sent: that a process starts may take longer than until the second publication.
    const second = await shop.startController({ env });
    const moved = await succeededWithOpenMessage();
    await kill(first);
    await expectCarriedThrough(moved);

    const restarted = await succeededWithOpenMessage();
    await kill(second);
    await shop.startController({ env });
    await expectCarriedThrough(restarted);
  },
  TEST_MS,
);
