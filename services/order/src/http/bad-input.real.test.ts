/** Whatever comes in, the order service answers with a 4xx that names what is wrong, and never with a 5xx. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TEAPOTS } from '../../../../tests/services/order-client.ts';
import { runOrder, type RunningTestService } from '../../../../tests/services/running.ts';
import { freshNamespace, world } from '../../../../tests/world/world.ts';

let order: RunningTestService;

beforeAll(async () => {
  order = await runOrder({ kubeconfig: world().kubeconfig, namespace: await freshNamespace('bad-input') });
}, 30_000);
afterAll(() => order.close());

const LINE = TEAPOTS.lines[0]!;
const lines = (...changed: object[]): object => ({
  userId: 'u1',
  lines: changed.map((change) => ({ ...LINE, ...change })),
});
const many = (count: number): object =>
  lines(...Array.from({ length: count }, (_, index) => ({ skuId: `sku-${String(index)}` })));

async function post(body: string, contentType = 'application/json') {
  const answer = await fetch(`${order.url}/orders`, {
    method: 'POST',
    headers: { 'content-type': contentType, 'idempotency-key': randomUUID() },
    body,
  });
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
}

describe('POST /orders', () => {
  test.each<[string, object | null, string]>([
    ['no object', null, 'body'],
    ['a list', [], 'body'],
    ['an empty object', {}, 'userId'],
    ['no user', { lines: TEAPOTS.lines }, 'userId'],
    ['a user that is a number', { ...TEAPOTS, userId: 1 }, 'userId'],
    ['an empty user', { ...TEAPOTS, userId: '' }, 'userId'],
    ['a user of a kilobyte', { ...TEAPOTS, userId: 'u'.repeat(1024) }, 'userId'],
    ['a user with a NUL', { ...TEAPOTS, userId: 'u\u0000' }, 'userId'],
    ['an unknown field', { ...TEAPOTS, coupon: 'x' }, 'coupon'],
    ['a total of its own', { ...TEAPOTS, totalCents: 1 }, 'totalCents'],
    ['no lines', { userId: 'u1' }, 'lines'],
    ['lines that are no list', { userId: 'u1', lines: {} }, 'lines'],
    ['an empty list of lines', { userId: 'u1', lines: [] }, 'lines'],
    ['101 lines', many(101), 'lines'],
    ['a line that is null', { userId: 'u1', lines: [null] }, 'lines[0]'],
    ['an unknown field in a line', lines({ colour: 'red' }), 'lines[0].colour'],
    ['the same SKU twice', lines({}, {}), 'lines[1].skuId'],
    ['an empty SKU', lines({ skuId: '' }), 'lines[0].skuId'],
    ['a SKU with a slash', lines({ skuId: 'a/b' }), 'lines[0].skuId'],
    ['no quantity', lines({ quantity: undefined }), 'lines[0].quantity'],
    ['a quantity in words', lines({ quantity: '2' }), 'lines[0].quantity'],
    ['quantity 0', lines({ quantity: 0 }), 'lines[0].quantity'],
    ['a negative quantity', lines({ quantity: -1 }), 'lines[0].quantity'],
    ['half a unit', lines({ quantity: 0.5 }), 'lines[0].quantity'],
    ['a huge quantity', lines({ quantity: 1e15 }), 'lines[0].quantity'],
    ['a quantity beyond all integers', lines({ quantity: 1e300 }), 'lines[0].quantity'],
    ['a negative price', lines({ unitPriceCents: -1 }), 'lines[0].unitPriceCents'],
    ['a huge price', lines({ unitPriceCents: 2 ** 53 }), 'lines[0].unitPriceCents'],
    ['a price of null', lines({ unitPriceCents: null }), 'lines[0].unitPriceCents'],
  ])('with %s is 400 and names it', async (_, body, field) => {
    const answer = await post(JSON.stringify(body));
    expect(answer).toMatchObject({ status: 400, type: 'application/problem+json' });
    expect((JSON.parse(answer.text) as { detail: string }).detail).toContain(field);
  });

  test.each<[string, string, number]>([
    ['broken JSON', '{"userId":', 400],
    ['nothing', '', 400],
    [
      'a number too big for any type',
      '{"userId":"u1","lines":[{"skuId":"a","quantity":1e999,"unitPriceCents":1}]}',
      400,
    ],
    ['a megabyte', JSON.stringify({ ...TEAPOTS, userId: 'u'.repeat(1_000_000) }), 413],
    ['members that would change prototypes', '{"__proto__":{"userId":"u1"},"userId":"u1","lines":[]}', 400],
    ['thousands of levels', '['.repeat(20_000) + ']'.repeat(20_000), 400],
  ])('with %s is a 4xx', async (_, body, status) => {
    expect(await post(body)).toMatchObject({ status, type: 'application/problem+json' });
  });

  test('with another media type is 415', async () => {
    expect(await post(JSON.stringify(TEAPOTS), 'text/plain')).toMatchObject({ status: 415 });
  });

  test('takes 100 lines, the largest quantities and the largest prices, and adds them up exactly', async () => {
    const body = {
      userId: 'u1',
      lines: (many(100) as typeof TEAPOTS).lines.map((line) => ({
        ...line,
        quantity: 100_000,
        unitPriceCents: 99_999_999,
      })),
    };
    const answer = await post(JSON.stringify(body));
    expect(answer.status).toBe(202);
    const { orderId } = JSON.parse(answer.text) as { readonly orderId: string };
    const view = (await (await fetch(`${order.url}/orders/${orderId}`)).json()) as { readonly totalCents: number };
    expect(view.totalCents).toBe(100 * 100_000 * 99_999_999);
  });

  test.each([
    'wait=-1',
    'wait=soon',
    'wait',
    'wait=""',
    ';;;',
    'respond-async',
    '"',
    'wait=1.5',
    `wait=${'9'.repeat(400)}x`,
  ])('with the preference %s is answered as without one', async (prefer) => {
    const answer = await fetch(`${order.url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), prefer },
      body: JSON.stringify(TEAPOTS),
    });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('preference-applied')).toBeNull();
  });
});

describe('GET /orders/:orderId', () => {
  test.each([
    ['nobody placed', 'o123', 404],
    ['that cannot be one', 'UPPER', 400],
    ['of a kilobyte', 'o'.repeat(1024), 400],
    ['with a NUL', 'o%00', 400],
    ['that is broken percent-encoding', '%E0%A4%A', 400],
    ['that tries to be SQL', "o'%20or%201=1--", 400],
  ])('of an id %s is a 4xx', async (_, orderId, status) => {
    const answer = await fetch(`${order.url}/orders/${orderId}`);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
  });
});

test.each([
  ['DELETE', '/orders/o1', 405],
  ['PUT', '/orders', 405],
  ['GET', '/nothing', 404],
])('%s %s is %i', async (method, path, status) => {
  expect((await fetch(`${order.url}${path}`, { method })).status).toBe(status);
});
