/**
 * However an order's messages arrive, drawn by fast-check: again, in any order, several at the same moment, under their own ids or
 * under others. On a real database.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { handlerOf } from '../../../../tests/services/order-followers.ts';
import {
  anyArrival,
  ask,
  deliverWaves,
  payloadsOf,
  received,
  runConsumer,
  type RunningConsumer,
  type Waves,
} from '../../../../tests/services/running-consumers.ts';
import { TEST_NAMESPACE } from '../../../../tests/services/running.ts';
import { handleOnce } from '../../../kit/src/messages/inbox.ts';
import { handlersFor } from './handlers.ts';

const RUNS = 100;

let wms: RunningConsumer;
let orders = 0;

beforeAll(async () => {
  wms = await runConsumer('wms');
});
afterAll(() => wms.close());

/** A message, or the call that ships. */
type Arrival = 'stock.lock' | 'stock.outbound' | 'ship';

async function deliverAll(waves: Waves<Arrival>) {
  const orderId = `o${String(++orders)}`;
  const { looks: states, answers } = await deliverWaves(
    waves,
    ({ type, copy }) => (type === 'ship' ? ship(orderId) : handle(type, orderId, copy)),
    async () => (await ask(`${wms.url}/shipments/${orderId}`)).body.state,
  );
  return { orderId, states, answers };
}

async function handle(type: Exclude<Arrival, 'ship'>, orderId: string, copy: number): Promise<string> {
  const { created, paid } = payloadsOf(orderId);
  const data = { 'stock.lock': created, 'stock.outbound': paid }[type];
  const message = received({ id: `shop/${orderId}-${String(copy)}/${type}`, type, data });
  return (await handleOnce(wms.database, handlerOf({ handlers: handlersFor(TEST_NAMESPACE) }, type), message)).kind;
}

async function ship(orderId: string): Promise<string> {
  return String((await ask(`${wms.url}/shipments/${orderId}/ship`, { method: 'POST' })).status);
}

test('whoever ships first when the order is OUTBOUND has shipped it for good, and it is told once', async () => {
  await fc.assert(
    fc.asyncProperty(anyArrival<Arrival>(['stock.lock', 'stock.outbound', 'ship']), async (waves) => {
      const { orderId, states, answers } = await deliverAll(waves);
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
