import { expect, test } from '@jest/globals';
import { parseExact } from '../../../services/protocol/src/exact-json.ts';
import { bytesHeldBy } from '../runtime/testing/garbage.ts';
import { heldCopy } from './held-copy.ts';
import type { StoredObject } from './stored-object.ts';

const SENTENCE = `the try at inventory is not done: ${'it is asked again. '.repeat(500)}`;

function textOf(number: number, status: object): string {
  const metadata = { name: `create-o${String(number)}`, namespace: 'default', managedFields: [{ manager: 'kubectl' }] };
  return JSON.stringify({ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata, status });
}

const parsed = (number: number, status: object): StoredObject => parseExact(textOf(number, status)) as StoredObject;

test('a thousand of them have one copy of a sentence', () => {
  const status = {
    message: SENTENCE,
    conditions: [{ type: 'Stuck', message: SENTENCE }],
    branches: [{ lastError: SENTENCE }],
  };
  const make = () => Array.from({ length: 1_000 }, (_, number) => heldCopy(parsed(number, status)));
  // Three thousand copies of it would be 28 MB.
  expect(bytesHeldBy(make)).toBeLessThan(3e6);
});

test('it is what was stored, without who owns which field', () => {
  const status = {
    ...{ phase: 'Trying', message: SENTENCE, startedAt: '2026-11-28T20:00:00Z', observedGeneration: 1, empty: null },
    branches: [{ name: 'a-long-name-of-a-branch', attempts: 3 }, { lastError: 'no answer within 3 s' }],
    ofANewerVersion: { deep: [['answered 425: later'], 7, true] },
  };
  const { metadata, ...rest } = parsed(1, status) as StoredObject & { metadata: { managedFields?: unknown } };
  const { managedFields, ...kept } = metadata;
  expect(managedFields).toBeDefined();
  expect(heldCopy(parsed(1, status))).toEqual({ ...rest, metadata: kept });
  const without = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow', metadata: { name: 'create-order' } };
  expect(heldCopy(structuredClone(without))).toEqual(without);
});

test('more different texts than are kept are all right', () => {
  const messages = Array.from({ length: 5_000 }, (_, number) => `a sentence of its own, number ${String(number)}`);
  const held = messages.map((message, number) => heldCopy(parsed(number, { message })));
  expect(held.map((each) => (each as unknown as { status: { message: string } }).status.message)).toEqual(messages);
});

test('a number that cannot be held stays as it was written', () => {
  const text = textOf(1, { ofANewerVersion: 0 }).replace(':0}', ':12345678901234567890}');
  expect(JSON.stringify(heldCopy(parseExact(text) as StoredObject))).toContain(':12345678901234567890}');
});
