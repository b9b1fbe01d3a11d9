/**
 * Every route of every service under requests that its own /openapi.json allows, and under the same ones with one thing wrong.
 *
 * Whatever comes, a service answers in time, with a status that it has declared and, to what is wrong, a problem document that names
 * it. ORDERTX_FUZZ_SEED repeats a run.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { OrderFixture } from '../../services/order/testing/order-fixture.ts';
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

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('fuzz');
}, 30_000);
afterAll(() => fixture.close());

const SERVICES: readonly [string, () => Promise<PreparedService>][] = [
  ['order', () => preparedOrder(fixture)],
  ['inventory', preparedInventory],
  ['payment', () => preparedPayment(fixture)],
  ['payment with a provider’s secret', () => preparedPayment(fixture, 'a-secret-that-two-know')],
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
