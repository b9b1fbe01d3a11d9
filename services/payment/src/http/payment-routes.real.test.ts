/** POST and GET /payments, on a real database, with an order service that answers, hangs, talks nonsense or is gone. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { documentedStatuses } from '../../../../tests/services/running-consumers.ts';
import { sendJson } from '../../testing/loopback-orders.ts';
import { runPayment, type RunningPayment } from '../../testing/running-payment.ts';

let payment: RunningPayment;

beforeAll(async () => {
  payment = await runPayment();
});
afterEach(() => payment.orders.misbehave(undefined));
afterAll(() => payment.close());

const paymentsOf = async (orderId: string): Promise<number> =>
  (await payment.database.query('select from payments where order_id = $1', [orderId])).rowCount ?? 0;

const forOrder = (orderId: string): string => JSON.stringify({ orderId });

describe('POST /payments', () => {
  test('asks for what the order costs', async () => {
    payment.orders.know({ orderId: 'o1', status: 'PENDING_PAYMENT', totalCents: 2_500 });
    const answer = await payment.post('/payments', forOrder('o1'));
    const { paymentId } = answer.body;
    expect(paymentId).toMatch(/^p[0-9a-z]{26}$/);
    const payUrl = `${payment.url}/payments/${String(paymentId)}/pay`;
    const body = { paymentId, orderId: 'o1', amountCents: 2_500, status: 'PENDING', payUrl };
    expect([answer.status, answer.body]).toEqual([201, body]);
    expect(await payment.get(`/payments/${String(paymentId)}`)).toMatchObject({ status: 200, body });
  });

  test('gives an order as many payments as its customer begins', async () => {
    const [first, second] = [await payment.asked('o2'), await payment.asked('o2')];
    expect(first).not.toBe(second);
    expect(await paymentsOf('o2')).toBe(2);
  });

  test('takes the largest order there is, and one that costs nothing', async () => {
    for (const [orderId, totalCents] of [['o3', 1e15] as const, ['o4', 0] as const]) {
      const paymentId = await payment.asked(orderId, totalCents);
      expect((await payment.get(`/payments/${paymentId}`)).body.amountCents).toBe(totalCents);
    }
  });

  test('for an order nobody placed is 404', async () => {
    const answer = await payment.post('/payments', forOrder('o-unknown'));
    expect(answer).toMatchObject({ status: 404, type: 'application/problem+json', body: { code: 'unknown-order' } });
    expect(answer.body.detail).toBe('there is no order o-unknown');
  });

  test.each(['INIT', 'PAYING', 'CLOSING', 'PAID', 'SHIPPED', 'RECEIVED', 'CANCELLED', 'CLOSED'])(
    'for an order that is %s is 409 and says so',
    async (status) => {
      payment.orders.know({ orderId: 'o5', status, totalCents: 900 });
      const answer = await payment.post('/payments', forOrder('o5'));
      expect(answer).toMatchObject({ status: 409, type: 'application/problem+json', body: { orderStatus: status } });
      expect(answer.body.detail).toContain(status);
      expect(await paymentsOf('o5')).toBe(0);
    },
  );

  const order = (changes: object): object => ({
    orderId: 'o6',
    status: 'PENDING_PAYMENT',
    totalCents: 900,
    ...changes,
  });
  test.each<[string, (response: ServerResponse) => unknown]>([
    ['closes the connection', (response) => response.destroy()],
    ['never answers', () => undefined],
    ['begins to answer and never ends', (response) => response.writeHead(200).write('{"orderId":"o6",')],
    ['answers 500', (response) => sendJson(response, 500, order({}))],
    ['answers 503', (response) => sendJson(response, 503, {})],
    ['answers 401', (response) => sendJson(response, 401, {})],
    ['redirects', (response) => response.writeHead(302, { location: payment.orders.url }).end()],
    ['answers with a page', (response) => response.writeHead(200).end('<html>')],
    ['answers with nothing', (response) => response.writeHead(200).end()],
    ['answers with null', (response) => sendJson(response, 200, null)],
    ['answers with another order', (response) => sendJson(response, 200, order({ orderId: 'o7' }))],
    ['names no total', (response) => sendJson(response, 200, order({ totalCents: undefined }))],
    ['names a negative total', (response) => sendJson(response, 200, order({ totalCents: -1 }))],
    ['names half a cent', (response) => sendJson(response, 200, order({ totalCents: 0.5 }))],
    ['names a total beyond all orders', (response) => sendJson(response, 200, order({ totalCents: 1e15 + 1 }))],
    ['names no status', (response) => sendJson(response, 200, order({ status: null }))],
    ['answers with megabytes', (response) => sendJson(response, 200, order({ note: 'x'.repeat(3 << 20) }))],
  ])('is 503, to be asked again, while the order service %s', async (_, misbehaviour) => {
    payment.orders.misbehave(misbehaviour);
    const answer = await payment.post('/payments', forOrder('o6'));
    expect(answer).toMatchObject({ status: 503, type: 'application/problem+json' });
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await paymentsOf('o6')).toBe(0);
  });

  test('is 503 while there is no order service, and works again when it is back', async () => {
    const other = await runPayment();
    await other.orders.stop();
    expect(await other.post('/payments', forOrder('o6'))).toMatchObject({ status: 503 });
    await other.close();
    expect(await payment.asked('o6')).toMatch(/^p/);
  });

  test.each<[string, string | undefined, string]>([
    ['nothing', undefined, 'body'],
    ['null', 'null', 'body'],
    ['a list', '[]', 'body'],
    ['broken JSON', '{"orderId":', 'body'],
    ['no order', '{}', 'orderId'],
    ['an order that is a number', '{"orderId":1}', 'orderId'],
    ['an order with a slash', '{"orderId":"a/b"}', 'orderId'],
    ['an order of a kilobyte', forOrder('o'.repeat(1024)), 'orderId'],
    ['an amount of its own', '{"orderId":"o1","amountCents":1}', 'amountCents'],
  ])('with %s is 400 and names it', async (_, body, field) => {
    const answer = await payment.post('/payments', body);
    expect(answer).toMatchObject({ status: 400, type: 'application/problem+json' });
    expect(answer.body.detail).toContain(field);
  });

  test('with a megabyte is 413, with another media type 415', async () => {
    expect(await payment.post('/payments', forOrder('o'.repeat(1 << 20)))).toMatchObject({ status: 413 });
    const text = { 'content-type': 'text/plain' };
    expect(await payment.post('/payments', forOrder('o1'), text)).toMatchObject({ status: 415 });
  });
});

describe('GET /payments/:paymentId', () => {
  test('of a payment nobody asked for is 404', async () => {
    const answer = await payment.get('/payments/p-unknown');
    expect(answer).toMatchObject({ status: 404, type: 'application/problem+json', body: { code: 'unknown-payment' } });
  });

  test.each(['UPPER', 'a%00', '%E0%A4%A', 'p'.repeat(1024)])('of the id %s is 400', async (paymentId) => {
    expect(await payment.get(`/payments/${paymentId}`)).toMatchObject({ status: 400 });
  });
});

test.each([
  ['post', '/payments', ['200', '201', '400', '404', '409', '413', '415', '422', '503', 'default']],
  ['get', '/payments/{paymentId}', ['200', '400', '404', '503', 'default']],
  ['post', '/payments/{paymentId}/pay', ['200', '400', '401', '404', '409', '413', '415', '503', 'default']],
])('%s %s declares every status it answers with', async (method, path, statuses) => {
  expect(await documentedStatuses(payment.url, method, path)).toEqual(statuses);
});

test('the success call is documented with a body that may be left out, and with its signature', async () => {
  const { body } = await payment.get('/openapi.json');
  expect(body).toMatchObject({
    paths: {
      '/payments': { post: { requestBody: { required: true } } },
      '/payments/{paymentId}/pay': {
        post: {
          requestBody: { required: false },
          parameters: [
            { name: 'paymentId', in: 'path' },
            { name: 'Payment-Signature', in: 'header', required: false },
          ],
        },
      },
    },
  });
});
