/**
 * Forms of header values, and audiences.
 */
import { describe, expect, test } from '@jest/globals';
import { audienceOfService, audienceOfUrl } from './audience.ts';
import { formatTransaction, idempotencyKey, parseTransaction } from './headers.ts';

describe('the transaction header', () => {
  test.each(['shop/create-o1001', 'default/a', 'a-1/pay-p2001', 'shop/a.b-c.d', `shop/${'a'.repeat(253)}`])(
    '%s is a transaction',
    (text) => {
      const parsed = parseTransaction(text);
      expect(parsed && formatTransaction(parsed)).toBe(text);
    },
  );

  test.each([
    '',
    '/',
    'shop',
    'shop/',
    '/create-o1001',
    'shop/create/o1001',
    'Shop/create-o1001',
    'shop/create_o1001',
    'shop/-a',
    'shop/a-',
    'sh.op/a',
    'shop/a, shop/a',
    'shop/a b',
    `${'n'.repeat(64)}/a`,
    `shop/${'a'.repeat(254)}`,
    `shop/${`${'a'.repeat(60)}.`.repeat(4)}${'a'.repeat(60)}`,
  ])('%j is none', (text) => {
    expect(parseTransaction(text)).toBeUndefined();
  });

  test('the idempotency key is the same for every attempt', () => {
    expect(idempotencyKey({ namespace: 'shop', name: 'create-o1001' }, 'inventory', 'try')).toBe(
      'shop/create-o1001/inventory/try',
    );
  });
});

describe('audiences', () => {
  test('a service has its name and namespace', () => {
    expect(audienceOfService('order', 'shop')).toBe('ordertx/order.shop');
  });

  test.each([
    ['http://127.0.0.1:4001', 'ordertx/127.0.0.1:4001'],
    ['http://127.0.0.1:4001/base/', 'ordertx/127.0.0.1:4001'],
    ['http://Order.example', 'ordertx/order.example:80'],
    ['https://order.example', 'ordertx/order.example:443'],
    ['https://order.example:443', 'ordertx/order.example:443'],
    ['http://[::1]:4001', 'ordertx/[::1]:4001'],
  ])('%s is shown %s', (url, audience) => {
    expect(audienceOfUrl(url)).toBe(audience);
  });

  test.each(['ftp://order.example', 'order:8080', '', 'nonsense'])('%j has none', (url) => {
    expect(() => audienceOfUrl(url)).toThrow();
  });
});
