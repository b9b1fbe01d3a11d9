/**
 * A finished transaction whose best-effort message is not through is not forgotten when its controller dies: whoever comes
 * after, by a shard's move or by a start, publishes it on, gives up in the end and lets the transaction expire (T8).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunningController } from '../../local/controllers.ts';
import { openShop, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 120_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
const FLOW = 'with-best-effort';
/** Nobody hears this stream. */
const UNHEARD = { name: 'sms', when: 'Confirmed', stream: 'unheard', type: 'sms.paid', delivery: 'BestEffort' };
/** The second publication comes 2 to 4 s after the first: every controller below is killed before. */
const UNHURRIED = { initialDelaySeconds: 4, maxDelaySeconds: 4, factor: 2 };

let shop: Shop;
const env = { ORDERTX_LEADER_ELECTION: 'on' };

beforeAll(async () => {
  shop = await openShop('besteffort');
  await shop.stock('tea', 100);
  await shop.putFlow(FLOW, { retry: UNHURRIED });
  const path = shop.pathOf('transactionflows', FLOW);
  const { status } = await shop.admin.request('PATCH', path, {
    spec: { messages: [{ ...UNHEARD, maxAttempts: 2 }] },
  });
  expect(status).toBe(200);
}, SETUP_MS);

afterAll(() => shop.close(), SETUP_MS);

async function kill({ part }: RunningController): Promise<void> {
  part.process.kill('SIGKILL');
  await part.process.exited;
}

async function succeededWithOpenMessage(): Promise<string> {
  const { name } = await shop.begin(FLOW, [TEA]);
  const { status } = await shop.transactionWhen(name, 'to have succeeded', ({ status: s }) => s?.phase === 'Succeeded');
  expect([status?.expires, status?.messages?.[0]?.state]).toEqual([undefined, 'Pending']);
  return name;
}

async function expectCarriedThrough(name: string): Promise<void> {
  const { status } = await shop.transactionWhen(
    name,
    'to expire',
    ({ status: s }) => s?.expires !== undefined,
    TEST_MS,
  );
  expect(status?.messages).toMatchObject([{ name: 'sms', state: 'GaveUp', attempts: 2 }]);
}

test(
  'a replica that waited beside it takes over with the shard, and one that is started later does so as well',
  async () => {
    const first = await shop.startController({ env });
    const moved = await succeededWithOpenMessage();
    const second = await shop.startController({ env });
    await kill(first);
    await expectCarriedThrough(moved);

    const restarted = await succeededWithOpenMessage();
    await kill(second);
    await shop.startController({ env });
    await expectCarriedThrough(restarted);
  },
  TEST_MS,
);
