/**
 * However an order's messages arrive, drawn by fast-check: again, in any order, several at the same moment, under their own ids or
 * under others. On a real database.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  anyArrival,
  ask,
  payloadsOf,
  received,
  runConsumer,
  type RunningConsumer,
  type Waves,
} from '../../../../tests/services/running-consumers.ts';
import { handleOnce } from '../../../kit/src/messages/inbox.ts';
import type { ShipmentMessage } from '../next-state.ts';
import { handlers } from './handlers.ts';

const RUNS = 100;

let wms: RunningConsumer;
let orders = 0;

beforeAll(async () => {
  wms = await runConsumer('wms');
});
afterAll(() => wms.close());

/** A message, or the call that ships. */
type Arrival = ShipmentMessage | 'ship';

interface Delivered {
  readonly orderId: string;
  /** After each wave. */
  readonly states: readonly (string | undefined)[];
  readonly inboxRows: number;
  /** By arrival: what it was answered with. */
  readonly answers: ReadonlyMap<Arrival, ReadonlySet<string>>;
}

async function deliver(waves: Waves<Arrival>): Promise<Delivered> {
  const { database } = wms;
  const orderId = `o${String(++orders)}`;
  const answers = new Map<Arrival, Set<string>>();
  const states: (string | undefined)[] = [];
  for (const wave of waves) {
    await Promise.all(
      wave.map(async ({ type, copy }) => {
        const answer = await (type === 'ship' ? ship(orderId) : handle(type, orderId, copy));
        answers.set(type, (answers.get(type) ?? new Set()).add(answer));
      }),
    );
    const { rows } = await database.query<{ state: string }>('select state from shipment where order_id = $1', [
      orderId,
    ]);
    states.push(rows[0]?.state);
  }
  const inbox = await database.query('select from ordertx_inbox where id like $1', [`shop/${orderId}-%`]);
  return { orderId, states, inboxRows: inbox.rowCount ?? 0, answers };
}

async function handle(type: ShipmentMessage, orderId: string, copy: number): Promise<string> {
  const { created, paid, closed } = payloadsOf(orderId);
  const data = { 'stock.lock': created, 'stock.outbound': paid, 'stock.release': closed }[type];
  const handler = handlers.find((each) => each.type === type);
  if (handler?.kind !== 'once') throw new Error(`${type} is not handled once`);
  const message = received({ id: `shop/${orderId}-${String(copy)}/${type}`, type, data });
  return (await handleOnce(wms.database, handler, message)).kind;
}

async function ship(orderId: string): Promise<string> {
  return String((await ask(`${wms.url}/shipments/${orderId}/ship`, { method: 'POST' })).status);
}

test.each<{ types: readonly ShipmentMessage[]; end: string }>([
  { types: ['stock.lock'], end: 'LOCKED' },
  { types: ['stock.lock', 'stock.outbound'], end: 'OUTBOUND' },
  { types: ['stock.lock', 'stock.release'], end: 'RELEASED' },
])('$types end $end, are the furthest of what has come at any time, and are all delivered', async ({ types, end }) => {
  await fc.assert(
    fc.asyncProperty(anyArrival(types), async (waves) => {
      const { states, inboxRows, answers } = await deliver(waves);
      const endsIn = waves.findIndex((wave) => wave.some(({ type }) => type !== 'stock.lock'));
      expect(states).toEqual(waves.map((_, index) => (index < endsIn ? 'LOCKED' : end)));
      for (const kinds of answers.values()) expect(kinds).toEqual(new Set(['delivered']));
      expect(inboxRows).toBe(new Set(waves.flat().map(({ type, copy }) => `${type} ${String(copy)}`)).size);
    }),
    { numRuns: RUNS },
  );
});

test('of a payment and a closing that both claim to have won, one is delivered and kept, the other one always refused', async () => {
  await fc.assert(
    fc.asyncProperty(anyArrival<Arrival>(['stock.lock', 'stock.outbound', 'stock.release']), async (waves) => {
      const { states, answers } = await deliver(waves);
      const state = states.at(-1);
      const [kept, refused] =
        state === 'OUTBOUND'
          ? (['stock.outbound', 'stock.release'] as const)
          : (['stock.release', 'stock.outbound'] as const);
      expect(['OUTBOUND', 'RELEASED']).toContain(state);
      expect(answers.get('stock.lock')).toEqual(new Set(['delivered']));
      expect(answers.get(kept)).toEqual(new Set(['delivered']));
      expect(answers.get(refused)).toEqual(new Set(['refused']));
    }),
    { numRuns: RUNS },
  );
});

test('whoever ships first when the order is OUTBOUND has shipped it for good, and it is told once', async () => {
  await fc.assert(
    fc.asyncProperty(anyArrival<Arrival>(['stock.lock', 'stock.outbound', 'ship']), async (waves) => {
      const { orderId, states, answers } = await deliver(waves);
      const outboundFrom = waves.findIndex((wave) => wave.some(({ type }) => type === 'stock.outbound'));
      const mustShip = waves.slice(outboundFrom + 1).some((wave) => wave.some(({ type }) => type === 'ship'));
      const shipped = answers.get('ship')?.has('200') ?? false;
      if (mustShip) expect(shipped).toBe(true);
      expect(states.at(-1)).toBe(shipped ? 'SHIPPED' : 'OUTBOUND');
      if (shipped) expect(new Set(states.slice(states.indexOf('SHIPPED')))).toEqual(new Set(['SHIPPED']));
      const { rows } = await wms.database.query('select id from ordertx_outbox where subject = $1', [orderId]);
      expect(rows).toEqual(shipped ? [{ id: `wms/wms.shipped/${orderId}` }] : []);
    }),
    { numRuns: RUNS },
  );
});
