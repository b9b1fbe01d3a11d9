/** The invariants about money and about those who follow by messages, each broken in the books and named with its ids. */
import { expect, test } from '@jest/globals';
import { BROKEN_BOOKS, HEALTHY_BOOKS } from './broken-books.ts';
import { judge } from '../../services/reconcile/src/invariants.ts';

test('healthy books break none', () => {
  expect(judge(HEALTHY_BOOKS)).toEqual([]);
});

test.each(BROKEN_BOOKS)('$how: named "$invariant"', ({ invariant, ids, change }) => {
  expect(judge({ ...HEALTHY_BOOKS, ...change })).toContainEqual({ invariant, ids, says: expect.any(String) });
});

test('services that are not there break none', () => {
  const absent = { payments: undefined, dispatches: undefined, shipments: undefined, grants: undefined };
  expect(judge({ ...HEALTHY_BOOKS, ...absent, notifications: undefined })).toEqual([]);
});
