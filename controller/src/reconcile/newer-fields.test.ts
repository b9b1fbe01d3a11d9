/**
 * Old beside new: what a newer version has written in a transaction's status, and this one does not know, survives whatever this one
 * stores there, wherever it stands and whatever happens to the transaction.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { RETRY_ANNOTATION } from '../transaction/requests.ts';
import { type Controller, flowNamed, KEY, Shop } from './shop-fake.ts';

const PLACES = ['status', 'branches', 'messages', 'conditions'] as const;
/** Of this version, wherever they stand. */
const KNOWN = new Set([
  ...['phase', 'decision', 'decisionReason', 'message', 'waitingFor', 'branches', 'messages', 'conditions', 'expires'],
  ...['startedAt', 'decidedAt', 'finishedAt', 'observedGeneration', 'lastHandledRetryAt', 'name', 'state', 'attempts'],
  ...['confirmedBefore', 'lastError', 'nextAttemptTime', 'delivery', 'type', 'status', 'reason', 'lastTransitionTime'],
]);

const act = fc.oneof(
  fc.record({
    kind: fc.constant('plant' as const),
    place: fc.constantFrom(...PLACES),
    index: fc.nat(3),
    field: fc
      .oneof(fc.constantFrom('zone', 'hedgedAttempts', '__proto__', 'constructor'), fc.string({ minLength: 1 }))
      .filter((name) => !KNOWN.has(name)),
    value: fc.jsonValue(),
  }),
  fc.record({
    kind: fc.constant('fault' as const),
    fault: fc.constantFrom(
      'none' as const,
      'lost' as const,
      'answer-lost' as const,
      'later' as const,
      'unsent' as const,
      'blocked' as const,
    ),
  }),
  fc.record({ kind: fc.constant('pass' as const), advanceMs: fc.constantFrom(0, 300, 5_000, 70_000) }),
  fc.record({
    kind: fc.constant('receipt' as const),
    message: fc.constantFrom('lock', 'sms', 'sorry'),
    outcome: fc.constantFrom('delivered' as const, 'refused' as const, 'failed' as const),
  }),
  fc.record({
    kind: fc.constant('person' as const),
    does: fc.constantFrom('suspend', 'resume', 'cancel', 'retry', 'settle'),
  }),
  fc.record({
    kind: fc.constant('world' as const),
    is: fc.constantFrom('refusing', 'broker-down', 'flow-gone', 'restarted', 'well'),
  }),
);
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

/** `branches inventory zone` -> its value as JSON. */
type Planted = Map<`${string} ${string}`, string>;

type Fields = Readonly<Record<string, unknown>>;

function idOf(place: (typeof PLACES)[number], entry: Fields): string {
  return place === 'status' ? place : `${place} ${String(entry.name ?? entry.type)}`;
}

function entriesOf(status: OrderTransactionStatus, place: (typeof PLACES)[number]): readonly Fields[] {
  const entries: readonly object[] = place === 'status' ? [status] : (status[place] ?? []);
  return entries as readonly Fields[];
}

function withField(entry: Fields, field: string, value: unknown): Fields {
  return Object.fromEntries([...Object.entries(entry), [field, value]]);
}

function plant(shop: Shop, planted: Planted, { place, index, field, value }: Extract<Act, { kind: 'plant' }>): void {
  const status = shop.now.status ?? {};
  const entries = entriesOf(status, place);
  const entry = entries[index % Math.max(1, entries.length)];
  if (entry === undefined) return;
  planted.set(`${idOf(place, entry)} ${field}`, JSON.stringify(value));
  const changed = withField(entry, field, value);
  shop.server.edit(KEY, (transaction) => ({
    ...transaction,
    status:
      place === 'status' ? changed : { ...status, [place]: entries.map((each) => (each === entry ? changed : each)) },
  }));
}

function found(shop: Shop, planted: Planted): Planted {
  const status = shop.now.status ?? {};
  const all = new Map(
    PLACES.flatMap((place) =>
      entriesOf(status, place).flatMap((entry) =>
        Object.entries(entry).map(
          ([field, value]) => [`${idOf(place, entry)} ${field}`, JSON.stringify(value)] as const,
        ),
      ),
    ),
  );
  return new Map([...planted].map(([key]) => [key, all.get(key) ?? 'lost']));
}

function person(shop: Shop, does: string): void {
  const change = ({ metadata, spec, ...rest }: OrderTransaction): OrderTransaction => {
    const { decision, branches = [], messages = [] } = rest.status ?? {};
    switch (does) {
      case 'retry':
        return { ...rest, spec, metadata: { ...metadata, annotations: { [RETRY_ANNOTATION]: String(shop.clock.ms) } } };
      case 'cancel':
        return {
          ...rest,
          metadata,
          spec: { ...spec, cancelRequested: spec.cancelRequested || decision === undefined },
        };
      case 'settle': {
        if (decision === undefined) return { ...rest, metadata, spec };
        const as = decision === 'Confirm' ? ('Confirmed' as const) : ('Cancelled' as const);
        const resolutions = [
          ...branches.map(({ name }) => ({ target: name, as, reason: 'by hand' })),
          ...messages.map(({ name }) => ({ target: name, as: 'Delivered' as const, reason: 'by hand' })),
        ];
        return { ...rest, metadata, spec: { ...spec, resolutions } };
      }
      default:
        return { ...rest, metadata, spec: { ...spec, suspend: does === 'suspend' } };
    }
  };
  shop.server.edit(KEY, change);
}

function flow() {
  const plain = flowNamed('create-order');
  const messages = [
    { name: 'lock', when: 'Confirmed', stream: 'wms', type: 'lock', delivery: 'Reliable' },
    { name: 'sms', when: 'Confirmed', stream: 'sms', type: 'sms', delivery: 'BestEffort', maxAttempts: 3 },
    { name: 'sorry', when: 'Cancelled', stream: 'sms', type: 'sorry', delivery: 'Reliable' },
  ] as const;
  return { ...plain, spec: { ...plain.spec, messages: [...messages] } };
}

function world(shop: Shop, is: string, controller: Controller): Controller {
  shop.participants.refusesTry = (branch) => is === 'refusing' && branch === 'inventory';
  shop.brokerIsDown = is === 'broker-down';
  if (is === 'flow-gone') shop.flows.flows.delete('create-order');
  else shop.flows.flows.set('create-order', flow());
  if (is !== 'restarted') return controller;
  controller.crash();
  return shop.controller();
}

test('whatever a newer version has written beside what is known here stays, through every write of a transaction’s life', async () => {
  let ends = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 60, size: 'max' }), async (acts) => {
      const shop = new Shop();
      world(shop, 'well', shop.controller());
      shop.order();
      const planted: Planted = new Map();
      let controller = shop.controller();
      for (const each of acts) {
        switch (each.kind) {
          case 'plant':
            plant(shop, planted, each);
            break;
          case 'fault':
            shop.participants.fault = () => each.fault;
            break;
          case 'receipt':
            controller.receipt(
              each.message,
              each.outcome === 'delivered' ? { kind: 'delivered' } : { kind: each.outcome, detail: 'no' },
            );
            break;
          case 'person':
            person(shop, each.does);
            break;
          case 'world':
            controller = world(shop, each.is, controller);
            break;
          case 'pass':
            shop.clock.ms += each.advanceMs;
        }
        controller.queue.soon(KEY);
        await controller.work();
        expect(found(shop, planted)).toEqual(planted);
      }
      if (shop.now.status?.expires !== undefined) ends += 1;
      expect(shop.server.refusals).toEqual([]);
    }),
    { numRuns: 300 },
  );
  expect(ends).toBeGreaterThan(10);
});
