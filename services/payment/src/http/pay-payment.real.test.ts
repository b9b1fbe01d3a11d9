/** POST /payments/:paymentId/pay, on a real database: captured once, told once, signed where a secret is set. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { runPayment, type RunningPayment } from '../../testing/running-payment.ts';

let payment: RunningPayment;

beforeAll(async () => {
  payment = await runPayment();
});
afterAll(() => payment.close());

async function statusOf(running: RunningPayment, paymentId: string): Promise<unknown> {
  return (await running.get(`/payments/${paymentId}`)).body.status;
}

/** What is told of this payment, and what was captured. */
async function told(paymentId: string): Promise<unknown> {
  const { rows } = await payment.database.query(
    `select captured_cents::integer as captured, (
       select json_agg(data) from ordertx_outbox where id = 'payment/payment.succeeded/' || payment_id
     ) as messages
     from payments where payment_id = $1`,
    [paymentId],
  );
  return rows[0];
}

const amount = (amountCents: number): string => JSON.stringify({ amountCents });

describe('a success call', () => {
  test.each([
    ['without a body', undefined],
    ['with an empty object', '{}'],
    ['with the amount', amount(900)],
  ])('%s captures the amount asked for, and tells the order service', async (_, body) => {
    const paymentId = await payment.asked('o1', 900);
    const payUrl = `${payment.url}/payments/${paymentId}/pay`;
    const paid = { paymentId, orderId: 'o1', amountCents: 900, status: 'SUCCEEDED', payUrl };
    const answer = await payment.post(`/payments/${paymentId}/pay`, body);
    expect([answer.status, answer.body]).toEqual([200, paid]);
    expect(await told(paymentId)).toEqual({
      captured: 900,
      messages: [{ paymentId, orderId: 'o1', amountCents: 900 }],
    });
  });

  test('with another amount captures that one, and tells the order service so', async () => {
    const paymentId = await payment.asked('o2', 900);
    const answer = await payment.post(`/payments/${paymentId}/pay`, amount(850));
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCEEDED', amountCents: 900 } });
    expect(await told(paymentId)).toEqual({
      captured: 850,
      messages: [{ paymentId, orderId: 'o2', amountCents: 850 }],
    });
  });

  test('again, with the same amount or none, is answered with the payment as it is, and tells nothing more', async () => {
    const paymentId = await payment.asked('o3', 900);
    const first = await payment.post(`/payments/${paymentId}/pay`, amount(900));
    const once = await told(paymentId);
    for (const body of [undefined, '{}', amount(900)])
      expect(await payment.post(`/payments/${paymentId}/pay`, body)).toMatchObject({ status: 200, body: first.body });
    expect(await told(paymentId)).toEqual(once);
  });

  test('again with another amount is 409, says both amounts, and changes nothing', async () => {
    const paymentId = await payment.asked('o4', 900);
    await payment.post(`/payments/${paymentId}/pay`);
    const once = await told(paymentId);
    const answer = await payment.post(`/payments/${paymentId}/pay`, amount(901));
    expect(answer).toMatchObject({ status: 409, type: 'application/problem+json', body: { code: 'other-amount' } });
    expect(answer.body.detail).toBe(`payment ${paymentId} was captured before, with 900 cents, not 901`);
    expect(await told(paymentId)).toEqual(once);
  });

  test('that comes twenty times at once is one capture and one message', async () => {
    const paymentId = await payment.asked('o5', 900);
    const answers = await Promise.all(Array.from({ length: 20 }, () => payment.post(`/payments/${paymentId}/pay`)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${String(body.status)}`))).toEqual(
      new Set(['200 SUCCEEDED']),
    );
    expect(await told(paymentId)).toMatchObject({ captured: 900, messages: [{ amountCents: 900 }] });
  });

  test('that comes at once with two amounts captures one of them, and refuses the other', async () => {
    const paymentId = await payment.asked('o6', 900);
    const answers = await Promise.all(
      [900, 850].map((cents) => payment.post(`/payments/${paymentId}/pay`, amount(cents))),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect((await told(paymentId)) as object).toMatchObject({ messages: [{ paymentId }] });
  });

  test('for a payment nobody asked for is 404', async () => {
    expect(await payment.post('/payments/p-unknown/pay')).toMatchObject({ status: 404 });
  });

  test.each<[string, string, string]>([
    ['null', 'null', 'body'],
    ['a list', '[1]', 'body'],
    ['broken JSON', '{', 'body'],
    ['an unknown field', '{"amount":1}', 'amount'],
    ['an amount in words', '{"amountCents":"900"}', 'amountCents'],
    ['a negative amount', '{"amountCents":-1}', 'amountCents'],
    ['half a cent', '{"amountCents":0.5}', 'amountCents'],
    ['a huge amount', '{"amountCents":1e16}', 'amountCents'],
    ['an amount of null', '{"amountCents":null}', 'amountCents'],
  ])('with %s is 400, names it, and captures nothing', async (_, body, field) => {
    const paymentId = await payment.asked('o7');
    const answer = await payment.post(`/payments/${paymentId}/pay`, body);
    expect(answer).toMatchObject({ status: 400, type: 'application/problem+json' });
    expect(answer.body.detail).toContain(field);
    expect(await statusOf(payment, paymentId)).toBe('PENDING');
  });

  test('with a body that is not called JSON is 415, and captures nothing', async () => {
    const paymentId = await payment.asked('o7');
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await payment.post(`/payments/${paymentId}/pay`, 'amountCents=1', form)).toMatchObject({ status: 415 });
    expect(await statusOf(payment, paymentId)).toBe('PENDING');
  });
});

describe('where a secret is set', () => {
  const SECRET = 'a secret of the provider';
  const OLD_SECRET = 'the secret it had before';
  let signed: RunningPayment;

  beforeAll(async () => {
    signed = await runPayment({ providerSecrets: [SECRET, OLD_SECRET] });
  });
  afterAll(() => signed.close());

  const nowSeconds = (): number => Math.floor(Date.now() / 1000);

  interface Signing {
    readonly paymentId: string;
    readonly body?: string;
    readonly secret?: string;
    readonly seconds?: number;
  }
  function signature({ paymentId, body = '', secret = SECRET, seconds = nowSeconds() }: Signing) {
    const digest = createHmac('sha256', secret).update(`${seconds}.${paymentId}.${body}`).digest('hex');
    return { 'payment-signature': `t=${seconds},v1=${digest}` };
  }

  test.each<[string, string | undefined]>([
    ['without a body', undefined],
    ['with a body, as its characters stand', '{ "amountCents" :900 }\n'],
    ['with a body, escapes not resolved', String.raw`{"\u0061mountCents":900}`],
  ])('a call that is signed counts %s', async (_, body) => {
    const paymentId = await signed.asked('o1', 900);
    const headers = signature(body === undefined ? { paymentId } : { paymentId, body });
    const answer = await signed.post(`/payments/${paymentId}/pay`, body, headers);
    expect(answer).toMatchObject({ status: 200, body: { status: 'SUCCEEDED' } });
  });

  test.each<[string, (paymentId: string) => Record<string, string>]>([
    ['has no signature', () => ({})],
    ['is signed with another secret', (paymentId) => signature({ paymentId, secret: 'another secret of somebody' })],
    ['is signed for another payment', () => signature({ paymentId: 'p2' })],
    ['is signed for another body', (paymentId) => signature({ paymentId, body: '{}' })],
    ['is old', (paymentId) => signature({ paymentId, seconds: nowSeconds() - 310 })],
    ['is of the future', (paymentId) => signature({ paymentId, seconds: nowSeconds() + 310 })],
    ['has a signature of another form', () => ({ 'payment-signature': 'Bearer x' })],
  ])('a call that %s is 401, says why, and does nothing', async (_, headersOf) => {
    const paymentId = await signed.asked('o2', 900);
    const answer = await signed.post(`/payments/${paymentId}/pay`, undefined, headersOf(paymentId));
    expect(answer).toMatchObject({ status: 401, type: 'application/problem+json', body: { code: 'unsigned' } });
    expect(answer.body.detail).toMatch(/^Payment-Signature: /);
    expect(JSON.stringify(answer.body)).not.toContain(SECRET);
    expect(await statusOf(signed, paymentId)).toBe('PENDING');
    expect((await signed.database.query('select from ordertx_outbox where subject = $1', ['o2'])).rowCount).toBe(0);
  });

  test('a call that is signed with the secret that is being replaced counts', async () => {
    const paymentId = await signed.asked('o1', 900);
    const headers = signature({ paymentId, secret: OLD_SECRET });
    expect(await signed.post(`/payments/${paymentId}/pay`, undefined, headers)).toMatchObject({ status: 200 });
  });

  test.each<[string, string, string]>([
    ['broken JSON', '{', 'application/json'],
    ['an unknown field', '{"amount":1}', 'application/json'],
    ['a form', 'amountCents=1', 'application/x-www-form-urlencoded'],
    ['a charset nobody knows', '{}', 'application/json; charset=klingon'],
  ])('a call with %s is told so only if it is signed', async (_, body, type) => {
    const paymentId = await signed.asked('o3', 900);
    const path = `/payments/${paymentId}/pay`;
    const contentType = { 'content-type': type };
    expect(await signed.post(path, body, contentType)).toMatchObject({ status: 401, body: { code: 'unsigned' } });
    const { status } = await signed.post(path, body, { ...contentType, ...signature({ paymentId, body }) });
    expect(status).toBe(type === 'application/json' ? 400 : 415);
    expect(await statusOf(signed, paymentId)).toBe('PENDING');
  });

  test('an old call that somebody kept does nothing: in time it is a repeat, later it is 401', async () => {
    const paymentId = await signed.asked('o4', 900);
    const body = JSON.stringify({ amountCents: 900 });
    const kept = signature({ paymentId, body });
    const first = await signed.post(`/payments/${paymentId}/pay`, body, kept);
    for (const again of [kept, kept])
      expect(await signed.post(`/payments/${paymentId}/pay`, body, again)).toMatchObject({
        status: 200,
        body: first.body,
      });
    const late = signature({ paymentId, body, seconds: nowSeconds() - 301 });
    expect(await signed.post(`/payments/${paymentId}/pay`, body, late)).toMatchObject({ status: 401 });
    const { rows } = await signed.database.query('select from ordertx_outbox where subject = $1', ['o4']);
    expect(rows).toHaveLength(1);
  });

  test('a call for a payment nobody asked for is 401 as well unless it is signed', async () => {
    expect(await signed.post('/payments/p-unknown/pay')).toMatchObject({ status: 401 });
    const headers = signature({ paymentId: 'p-unknown' });
    expect(await signed.post('/payments/p-unknown/pay', undefined, headers)).toMatchObject({ status: 404 });
  });
});
