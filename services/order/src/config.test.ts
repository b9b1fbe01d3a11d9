/** What the order service says of its settings. */
import { expect, test } from '@jest/globals';
import { readSettings } from '../../kit/src/index.ts';
import { checkOrderSettings, orderSettings } from './config.ts';

const NEEDED = {
  DATABASE_URL: 'postgres://order@127.0.0.1:5432/order',
  REDIS_URL: 'redis://127.0.0.1:6379',
  ORDERTX_NAMESPACES: 'shop',
  ORDERTX_AUTH: 'off',
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  PAYMENT_URL: 'http://payment:8080',
};

function read(changes: Readonly<Record<string, string | undefined>>) {
  return readSettings(orderSettings, { ...NEEDED, ...changes }, checkOrderSettings);
}

test('it starts with a secret for quotes, or where a gateway vouches for prices, and not otherwise', () => {
  expect(read({})).toMatchObject({ kind: 'bad', problems: [{ name: 'ORDER_QUOTE_SECRET' }] });
  expect(read({ ORDER_PRICES: 'trusted' })).toMatchObject({ kind: 'read', values: { quoteSecret: undefined } });
  expect(read({ ORDER_QUOTE_SECRET: 'sixteen letters!' })).toMatchObject({
    kind: 'read',
    values: { quoteSecret: ['sixteen letters!'], prices: 'signed' },
  });
});

test('a secret that is set counts also where prices are trusted', () => {
  const values = { quoteSecret: ['sixteen letters!', 'another sixteen!'] };
  expect(read({ ORDER_PRICES: 'trusted', ORDER_QUOTE_SECRET: 'sixteen letters!,another sixteen!' })).toMatchObject({
    values,
  });
});

test.each([
  ['ORDER_QUOTE_SECRET', 'fifteen letters'],
  ['ORDER_QUOTE_SECRET', 'sixteen letters!,fifteen letters'],
  ['ORDER_PRICES', 'free'],
  ['ORDER_QUOTE_SECONDS', '0'],
])('%s=%s is named', (name, value) => {
  const result = read({ ORDER_PRICES: 'trusted', [name]: value });
  expect(result).toMatchObject({ kind: 'bad', problems: [{ name }] });
  expect(JSON.stringify(result)).not.toContain('fifteen letters');
});

test('it needs to know where payments are, and holds a close off for two minutes at most unless told otherwise', () => {
  const trusted = { ORDER_PRICES: 'trusted' };
  expect(read(trusted)).toMatchObject({ values: { paymentUrl: 'http://payment:8080', paymentGraceSeconds: 120 } });
  for (const changes of [
    { PAYMENT_URL: undefined },
    { PAYMENT_URL: 'payment' },
    { ORDER_PAYMENT_GRACE_SECONDS: '-1' },
  ]) {
    const [name] = Object.keys(changes);
    expect(read({ ...trusted, ...changes })).toMatchObject({ kind: 'bad', problems: [{ name }] });
  }
});
