/** Paths lead where the API server has things, and versions compare as the numbers they are. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isNewer, pathOf, SERVICE_ACCOUNTS, TRANSACTIONS } from './stored-object.ts';

test('resource versions compare as numbers, also beyond what a double holds', () => {
  const version = fc.bigInt({ min: 0n, max: 2n ** 80n });
  fc.assert(fc.property(version, version, (a, b) => expect(isNewer(String(a), String(b))).toBe(a > b)));
});

test('paths differ between the core group and the others', () => {
  expect(pathOf(SERVICE_ACCOUNTS, 'shop', 'order')).toBe('/api/v1/namespaces/shop/serviceaccounts/order');
  expect(pathOf(TRANSACTIONS, 'shop')).toBe('/apis/ordertx.dev/v1alpha1/namespaces/shop/ordertransactions');
});

test('a name cannot leave its place in a path', () => {
  expect(pathOf(TRANSACTIONS, 'shop', '../secrets?x')).toMatch(/ordertransactions\/\.\.%2Fsecrets%3Fx$/);
});
