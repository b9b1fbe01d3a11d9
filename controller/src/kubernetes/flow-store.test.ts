/** Which changes of a flow have all its transactions looked at: those that they go by. */
import { expect, test } from '@jest/globals';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { flowNamed } from '../reconcile/shop-fake.ts';
import { systemClock } from '../runtime/clock.ts';
import { InformedFlowStore } from './flow-store.ts';
import type { OnChange } from './informer.ts';
import { MemoryLeases } from './leases-fake.ts';

function changed(metadata: Partial<TransactionFlow['metadata']>): TransactionFlow {
  const flow = flowNamed('pay-order');
  return { ...flow, metadata: { ...flow.metadata, uid: 'u1', generation: 1, ...metadata } };
}

test.each([
  ['its spec', changed({ generation: 2 }), 2],
  ['its deletion', changed({ deletionTimestamp: '2026-01-01T00:00:00Z' }), 2],
  ['the finalizer that keeps it', changed({ finalizers: [] }), 2],
  ['another flow of its name', changed({ uid: 'u2' }), 2],
  ['its removal', undefined, 2],
  ['a label', changed({ labels: { team: 'shop' }, resourceVersion: '7' }), 1],
  ['another finalizer', changed({ finalizers: ['ordertx.dev/in-use', 'example.com/kept'] }), 1],
] as const)('of a flow that was seen before, %s', (_what, then, tellings) => {
  const told: string[] = [];
  const listeners: OnChange<TransactionFlow>[] = [];
  const tell: OnChange<TransactionFlow> = (...change) => listeners.forEach((listener) => listener(...change));
  const informers = { get: () => undefined, onChange: (listener: typeof tell) => void listeners.push(listener) };
  const store = new InformedFlowStore({
    informers,
    transport: new MemoryLeases('shop').transport(),
    clock: systemClock,
  });
  store.onChange((namespace, name) => told.push(`${namespace} ${name}`));
  tell('shop/pay-order', changed({}), '1');
  tell('shop/pay-order', then, '2');
  expect(told).toEqual(Array.from({ length: tellings }, () => 'shop pay-order'));
});
