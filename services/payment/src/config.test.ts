/** What the payment service says of its settings. */
import { expect, test } from '@jest/globals';
import { readSettings } from '../../kit/src/index.ts';
import { checkPaymentSettings, paymentSettings } from './config.ts';

const NEEDED = {
  DATABASE_URL: 'postgres://payment@127.0.0.1:5432/payment',
  REDIS_URL: 'redis://127.0.0.1:6379',
  ORDERTX_NAMESPACES: 'shop',
  ORDERTX_AUTH: 'off',
  ORDER_URL: 'http://order:8080',
  PAYMENT_PROVIDER_SECRET: 'sixteen letters!',
};

function read(changes: Readonly<Record<string, string | undefined>>) {
  return readSettings(paymentSettings, { ...NEEDED, ...changes }, checkPaymentSettings);
}

test('it needs to know where orders are and how the payment provider signs, and no more of its own', () => {
  const values = { orderUrl: 'http://order:8080', publicUrl: undefined, providerSecret: ['sixteen letters!'] };
  expect(read({})).toMatchObject({ kind: 'read', values });
});

test('the secret may be left out only where the provider is believed without', () => {
  const none = { PAYMENT_PROVIDER_SECRET: undefined };
  expect(read(none)).toMatchObject({ kind: 'bad', problems: [{ name: 'PAYMENT_PROVIDER_SECRET' }] });
  expect(read({ ...none, PAYMENT_PROVIDER_AUTH: 'off' })).toMatchObject({
    kind: 'read',
    values: { providerSecret: undefined },
  });
});

test('while a secret is replaced both count', () => {
  expect(read({ PAYMENT_PROVIDER_SECRET: 'the new one, long, the old one, longer' })).toMatchObject({ kind: 'bad' });
  expect(read({ PAYMENT_PROVIDER_SECRET: 'the new one is long, the old one is longer' })).toMatchObject({
    values: { providerSecret: ['the new one is long', 'the old one is longer'] },
  });
});

test('a slash at the end of a URL is no part of it', () => {
  expect(read({ ORDER_URL: 'http://order:8080/shop/', PAYMENT_PUBLIC_URL: 'https://pay.example//' })).toMatchObject({
    values: { orderUrl: 'http://order:8080/shop', publicUrl: 'https://pay.example' },
  });
});

test('refunds are stored, or posted where a URL and a secret are known', () => {
  const url = { PAYMENT_REFUND_WEBHOOK_URL: 'https://pay.example/refunds?key=hidden' };
  const secret = { PAYMENT_REFUND_WEBHOOK_SECRET: 'what refunds are signed with' };
  expect(read({})).toMatchObject({ kind: 'read', values: { refundProvider: 'store' } });
  expect(read({ PAYMENT_REFUND_PROVIDER: 'webhook', ...url, ...secret })).toMatchObject({ kind: 'read' });
  const problemsOf = (changes: Readonly<Record<string, string>>) => {
    const result = read(changes);
    return result.kind === 'bad' ? result.problems.map(({ name }) => name) : [];
  };
  expect(problemsOf({ PAYMENT_REFUND_PROVIDER: 'webhook', ...url })).toEqual(['PAYMENT_REFUND_WEBHOOK_SECRET']);
  expect(problemsOf({ PAYMENT_REFUND_PROVIDER: 'webhook', ...secret })).toEqual(['PAYMENT_REFUND_WEBHOOK_URL']);
  expect(problemsOf({ ...url, ...secret })).toEqual(['PAYMENT_REFUND_WEBHOOK_URL', 'PAYMENT_REFUND_WEBHOOK_SECRET']);
});

test.each<[string, string | undefined]>([
  ['ORDER_URL', undefined],
  ['ORDER_URL', 'order:8080'],
  ['ORDER_URL', 'ftp://order'],
  ['ORDER_URL', 'http://user:password@order'],
  ['PAYMENT_PUBLIC_URL', 'https://pay.example/?payment='],
  ['PAYMENT_PUBLIC_URL', 'https://pay.example/#'],
  ['PAYMENT_PROVIDER_SECRET', 'fifteen letters'],
  ['PAYMENT_REFUND_PROVIDER', 'nobody'],
  ['PAYMENT_REFUND_WEBHOOK_SECRET', 'fifteen letters'],
  ['PAYMENT_REFUND_TIMEOUT_SECONDS', '31'],
  ['PAYMENT_PROVIDER_SECRET', 'sixteen letters!,fifteen letters'],
  ['PAYMENT_PROVIDER_AUTH', 'perhaps'],
])('%s=%s is named', (name, value) => {
  const result = read({ [name]: value });
  expect(result).toMatchObject({ kind: 'bad', problems: [{ name }] });
  expect(JSON.stringify(result)).not.toContain('fifteen letters');
});
