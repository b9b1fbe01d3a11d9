/**
 * Every route of every service under requests that its own /openapi.json allows, and under the same ones with one thing wrong.
 *
 * Whatever comes, a service answers in time, with a status that it has declared and, to what is wrong, a problem document that names
 * it. ORDERTX_FUZZ_SEED repeats a run.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { OrderDesk } from '../../services/order/testing/order-desk.ts';
import { fuzzService, lineOf } from './fuzz-run.ts';
import {
  preparedConsumer,
  preparedInventory,
  preparedNotification,
  preparedOrder,
  preparedPayment,
  type PreparedService,
} from './prepared-services.ts';

const SERVICE_MS_MAX = 90_000;
const seed = Number(process.env.ORDERTX_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

let desk: OrderDesk;

beforeAll(async () => {
  desk = await OrderDesk.open('fuzz');
}, 30_000);
afterAll(() => desk.close());

const SERVICES: readonly [string, () => Promise<PreparedService>][] = [
  ['order', () => preparedOrder(desk)],
  ['inventory', preparedInventory],
  ['payment', () => preparedPayment(desk)],
  ['payment with a provider’s secret', () => preparedPayment(desk, 'a-secret-that-two-know')],
  ['dispatch', () => preparedConsumer('dispatch')],
  ['wms', () => preparedConsumer('wms')],
  ['member', () => preparedConsumer('member')],
  ['notification', preparedNotification],
];

test.each(SERVICES)(
  '%s answers whatever comes as it has declared',
  async (_, prepare) => {
    const service = await prepare();
    try {
      const reports = await fuzzService(service, seed);
      for (const report of reports) process.stdout.write(`${lineOf(service.name, report)}\n`);
      const faults = reports.flatMap(({ title, faults: found }) => found.map((fault) => `${title}: ${fault}`));
      expect({ seed, faults }).toEqual({ seed, faults: [] });
      for (const path of ['/healthz', '/readyz']) expect((await fetch(service.url + path)).status).toBe(200);
    } finally {
      await service.close();
    }
  },
  SERVICE_MS_MAX,
);
