/** POST /orders where prices have to be signed: what is believed, what is refused, and repeats that come late. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import canonicalize from 'canonicalize';
import { createHmac, randomUUID } from 'node:crypto';
import { placeOrder, TEAPOTS, type Wish } from '../../../../tests/services/order-client.ts';
import { runOrder, type RunningTestService } from '../../../../tests/services/running.ts';
import { freshNamespace, world } from '../../../../tests/world/world.ts';

const SECRET = 'what the cart signs with';
const OLD_SECRET = 'what it signed with before';

let order: RunningTestService;

beforeAll(async () => {
  const namespace = await freshNamespace('quotes');
  order = await runOrder({ kubeconfig: world().kubeconfig, namespace, quoteSecrets: [SECRET, OLD_SECRET] });
}, 30_000);
afterAll(() => order.close());

function quote(of: unknown, { secret = SECRET, ageSeconds = 0 } = {}): { readonly 'quote-signature': string } {
  const seconds = Math.floor(Date.now() / 1_000) - ageSeconds;
  const digest = createHmac('sha256', secret)
    .update(`${seconds}.${canonicalize(of)}`)
    .digest('hex');
  return { 'quote-signature': `t=${seconds},v1=${digest}` };
}

async function acceptedFor(userId: string): Promise<number> {
  const { rowCount } = await order.database.query('select from order_request where user_id = $1', [userId]);
  return rowCount ?? 0;
}

const [LINE] = TEAPOTS.lines;

test.each<[string, Wish]>([
  ['as it is', { headers: quote(TEAPOTS) }],
  ['with the secret that is being replaced', { headers: quote(TEAPOTS, { secret: OLD_SECRET }) }],
  [
    'and written anew on its way, in another order',
    {
      headers: quote(TEAPOTS),
      body: { lines: [{ unitPriceCents: 1250, quantity: 2, skuId: 'teapot' }], userId: 'u1' },
    },
  ],
])('an order that was quoted is accepted %s', async (_, wish) => {
  expect(await placeOrder(order.url, wish)).toMatchObject({ status: 202 });
});

test.each<[string, number, string, (body: object) => Wish]>([
  ['nobody quoted', 401, 'unsigned', () => ({})],
  ['comes with something else', 401, 'unsigned', () => ({ headers: { 'quote-signature': 'Bearer x' } })],
  [
    'is signed with another secret',
    401,
    'unsigned',
    (body) => ({ headers: quote(body, { secret: 'of somebody else' }) }),
  ],
  [
    'is cheaper than quoted',
    401,
    'unsigned',
    (body) => ({ headers: quote({ ...body, lines: [{ ...LINE, unitPriceCents: 1_251 }] }) }),
  ],
  ['was quoted to somebody else', 401, 'unsigned', (body) => ({ headers: quote({ ...body, userId: 'u2' }) })],
  ['was quoted too long ago', 422, 'quote-expired', (body) => ({ headers: quote(body, { ageSeconds: 910 }) })],
  ['is quoted for later', 422, 'quote-not-yet-valid', (body) => ({ headers: quote(body, { ageSeconds: -400 }) })],
])('an order that %s is %d, and not accepted', async (_, status, code, wishOf) => {
  const userId = `u-${randomUUID()}`;
  const body = { ...TEAPOTS, userId };
  const answer = await placeOrder(order.url, { body, ...wishOf(body) });
  expect(answer).toMatchObject({ status, type: 'application/problem+json', body: { code } });
  expect(answer.body.detail).toContain('Quote-Signature: ');
  expect(JSON.stringify(answer.body)).not.toContain(SECRET);
  expect(await acceptedFor(userId)).toBe(0);
});

test('what is wrong with a body is told only to a caller who sends a signature', async () => {
  const body = { ...TEAPOTS, lines: [] };
  expect(await placeOrder(order.url, { body })).toMatchObject({ status: 401 });
  expect(await placeOrder(order.url, { body, headers: quote(body) })).toMatchObject({ status: 400 });
});

test('an order that was accepted is answered again long after its quote has expired', async () => {
  const key = randomUUID();
  const { body } = await placeOrder(order.url, { key, headers: quote(TEAPOTS) });
  const late = { key, headers: quote(TEAPOTS, { ageSeconds: 86_400 }) };
  expect(await placeOrder(order.url, late)).toMatchObject({ status: 202, body: { orderId: body.orderId } });
  expect(await placeOrder(order.url, { ...late, prefer: 'wait=0' })).toMatchObject({
    status: 202,
    body: { orderId: body.orderId },
  });
  const other = { ...TEAPOTS, userId: 'u1', lines: [{ ...LINE, quantity: 3 }] };
  expect(await placeOrder(order.url, { ...late, body: other })).toMatchObject({ status: 401 });
  const dearer = { key, body: other, headers: quote(other, { ageSeconds: 86_400 }) };
  expect(await placeOrder(order.url, dearer)).toMatchObject({ status: 422, body: { code: 'quote-expired' } });
});
