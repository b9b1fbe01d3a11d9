/** What the API server takes as an Event's name and note. */
import { expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { eventName, eventObject } from './event-object.ts';

const named = (name: string): OrderTransaction => ({
  apiVersion: 'ordertx.dev/v1alpha1',
  kind: 'OrderTransaction',
  metadata: { name, namespace: 'shop', uid: 'u1' },
  spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend: false, cancelRequested: false },
});

test.each(['create-o1', `${'a'.repeat(199)}-${'b'.repeat(50)}`, `${'a'.repeat(198)}.-${'b'.repeat(50)}`])(
  'the Event of %s has a name that an object may have',
  (name) => {
    const event = eventName(named(name), '6f1e6a3c-0000-4000-8000-000000000000');
    expect(event.length).toBeLessThanOrEqual(253);
    expect(event).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  },
);

test('a note is cut at a whole character, below the 1,024 bytes that the API server takes', () => {
  const told = { type: 'Warning', reason: 'R', action: 'A', identity: 'i', nowMs: 0 } as const;
  const { note } = eventObject(named('create-o1'), 'e', { ...told, note: 'é'.repeat(600) }) as { note: string };
  expect(new TextEncoder().encode(note).length).toBeLessThanOrEqual(1_024);
  expect(note).toMatch(/^é+$/);
});
