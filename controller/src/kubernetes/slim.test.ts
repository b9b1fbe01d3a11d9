/** How much less memory a slimmed object takes, and that it is the same one. */
import { expect, test } from '@jest/globals';
import { parseExact } from '../../../services/protocol/src/exact-json.ts';
import { bytesHeldBy } from '../runtime/testing/garbage.ts';
import { slim } from './slim.ts';
import type { StoredObject } from './stored-object.ts';

const SENTENCE = `the try at inventory is not done: ${'it is asked again. '.repeat(50)}`;

function textOf(number: number, status: object): string {
  const metadata = {
    ...{ name: `o${String(number)}`, namespace: 'a-namespace-of-some-length' },
    ...{ creationTimestamp: '2026-11-28T20:00:00Z', managedFields: [{ manager: 'kubectl' }] },
  };
  const spec = { flow: 'a-flow-with-a-name-of-some-length', orderId: `o${String(number)}` };
  return JSON.stringify({ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata, spec, status });
}

const parsed = (number: number, status: object): StoredObject => parseExact(textOf(number, status)) as StoredObject;

/** A different one for each number, to the millisecond. */
const timeOf = (number: number): string => new Date(1e12 + number).toISOString();

const troubled = (number: number): StoredObject => {
  const conditions = [{ type: 'Stuck', message: SENTENCE }];
  return slim(parsed(number, { message: SENTENCE, conditions, branches: [{ lastError: SENTENCE }] }));
};

test('thousands of them have one copy of a sentence', () => {
  const count = 5_000;
  const each = bytesHeldBy(() => Array.from({ length: count }, (_, number) => troubled(number))) / count;
  // With a copy of its own each would have 1,000 more, and one for each of its three 3,000.
  expect(each).toBeLessThan(1_200);
  expect(each).toBeGreaterThan(300);
});

test('the times of thousands that come between them do not push it out', () => {
  const count = 2_000;
  const times = Array.from({ length: 2_100 }, (_, number) => timeOf(number));
  const make = () =>
    Array.from({ length: count }, (_, number) => {
      slim({ metadata: { name: 'healthy' }, status: { times: [...times] } } as StoredObject);
      return troubled(number);
    });
  expect(bytesHeldBy(make) / count).toBeLessThan(1_200);
});

test('what all of them say of themselves is there once', () => {
  const bare = (number: number) => {
    const { apiVersion, kind, metadata, spec } = parsed(number, {}) as StoredObject & Record<string, unknown>;
    const { namespace, creationTimestamp } = metadata;
    const { flow } = spec as { readonly flow: string };
    return { apiVersion, kind, metadata: { namespace, creationTimestamp }, spec: { flow } };
  };
  const count = 20_000;
  const held = (prepare: (object: StoredObject) => StoredObject) =>
    bytesHeldBy(() => Array.from({ length: count }, (_, number) => prepare(bare(number) as unknown as StoredObject)));
  const [own, common] = [held((object) => object), held(slim)];
  // Five texts of 12 to 33 characters, each with 16 bytes around it.
  expect((own - common) / count).toBeGreaterThan(150);
});

test('what is shared is bounded', () => {
  const objects = 50_000;
  const passing = () => {
    for (let number = 0; number < objects; number += 1) slim(parsed(number, { message: `${SENTENCE} ${number}` }));
    return true;
  };
  // Without a bound 50 MB.
  expect(bytesHeldBy(passing)).toBeLessThan(6e6);
});

test('it is what was stored, without who owns which field', () => {
  const status = {
    ...{ phase: 'Trying', message: SENTENCE, startedAt: timeOf(1), observedGeneration: 1, empty: null },
    branches: [{ name: 'a-long-name-of-a-branch', attempts: 3 }, { lastError: 'no answer within 3 s' }],
    ofANewerVersion: { deep: [['answered 425: later'], 7, true] },
  };
  const { metadata, ...rest } = parsed(1, status) as StoredObject & { metadata: { managedFields?: unknown } };
  const { managedFields, ...kept } = metadata;
  expect(managedFields).toBeDefined();
  expect(slim(parsed(1, status))).toEqual({ ...rest, metadata: kept });
  const without = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow', metadata: { name: 'create-order' } };
  expect(slim(structuredClone(without))).toEqual(without);
});

test('more different texts than are shared are all right', () => {
  const messages = Array.from({ length: 5_000 }, (_, number) => `a sentence of its own, number ${String(number)}`);
  const slimmed = messages.map((message, number) => slim(parsed(number, { message })));
  expect(slimmed.map((each) => (each as unknown as { status: { message: string } }).status.message)).toEqual(messages);
});

test('a number that cannot be held stays as it was written', () => {
  const text = textOf(1, { ofANewerVersion: 0 }).replace(':0}', ':12345678901234567890}');
  expect(JSON.stringify(slim(parseExact(text) as StoredObject))).toContain(':12345678901234567890}');
});
