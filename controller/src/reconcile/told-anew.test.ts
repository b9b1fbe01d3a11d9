/**
 * What a person reads once trouble of another kind is over: what comes next is as new as the first was, and at once as the first was.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { WORKING_ON_IT, type Outcome } from '../transaction/outcome.ts';
import { type Controller, flowNamed, KEY, Shop, LOCK_WMS } from './shop-fake.ts';

const MINUTE_MS = 60_000;
const DAY_SECONDS = 86_400;
const unknownHost: Outcome = { kind: 'unknown', detail: 'its host name is unknown: does the Service exist?' };
const unavailable: Outcome = { kind: 'unknown', detail: 'answered 503: it is not available; is it running and ready?' };
const timedOut: Outcome = { kind: 'unknown', detail: 'gave no answer within the time' };
const later: Outcome = { kind: 'ongoing', detail: WORKING_ON_IT };

function patientFlow() {
  const { spec, ...flow } = flowNamed('create-order');
  return { ...flow, spec: { ...spec, timeoutSeconds: DAY_SECONDS } };
}

function patientShop(): Shop {
  const shop = new Shop();
  shop.flows.flows.set('create-order', patientFlow());
  return shop;
}

/** From now on everybody answers these by turns. */
function allAnswer(shop: Shop, ...answers: readonly Outcome[]): void {
  let calls = 0;
  shop.participants.fault = () => answers[calls++ % answers.length] ?? 'none';
}

function suspend(shop: Shop, controller: Controller, value: boolean): void {
  shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, suspend: value } }));
  controller.queue.soon(KEY);
}

async function putBack(shop: Shop, controller: Controller): Promise<void> {
  shop.flows.flows.set('create-order', patientFlow());
  controller.queue.soon(KEY);
  await controller.work();
}

describe('at once', () => {
  test('after a missing flow was put back with endpoints that nobody has: who is not reached, and how often it was tried', async () => {
    const shop = patientShop();
    shop.flows.flows.delete('create-order');
    shop.order();
    const controller = shop.controller();
    await controller.work();
    expect(shop.now.status?.conditions).toMatchObject([{ type: 'Stuck', status: 'True', reason: 'FlowNotFound' }]);
    await controller.workFor(5_000);
    allAnswer(shop, unknownHost);
    await putBack(shop, controller);
    expect(shop.now.status).toMatchObject({
      ...{ waitingFor: 'order', message: expect.stringContaining('its host name is unknown') },
      branches: [{ name: 'order', attempts: 1 }, { name: 'inventory' }],
    });
  });

  test('the same by a controller that has only come since', async () => {
    const shop = patientShop();
    shop.flows.flows.delete('create-order');
    shop.order();
    const first = shop.controller();
    await first.work();
    first.crash();
    allAnswer(shop, unknownHost);
    await putBack(shop, shop.controller());
    expect(shop.now.status?.message).toContain('its host name is unknown');
  });

  test('after a suspension: what fails since it goes on', async () => {
    const shop = patientShop();
    shop.order();
    const controller = shop.controller();
    suspend(shop, controller, true);
    await controller.work();
    allAnswer(shop, unavailable);
    suspend(shop, controller, false);
    await controller.work();
    expect(shop.now.status?.message).toContain('answered 503');
  });

  test('each that fails, also beside one that failed before: it is an incident of its own', async () => {
    const shop = patientShop();
    const failing = new Set(['order']);
    shop.participants.fault = ({ participant }) => (failing.has(participant.name) ? unavailable : later);
    shop.order();
    const controller = shop.controller();
    await controller.work();
    failing.add('inventory');
    await controller.workFor(3_000);
    expect(shop.now.status?.branches).toMatchObject([
      { name: 'order', lastError: expect.stringContaining('503') },
      { name: 'inventory', lastError: expect.stringContaining('503') },
    ]);
  });
});

test('and all the same a write a minute, where a flow comes and goes and sentences alternate', async () => {
  const shop = patientShop();
  allAnswer(shop, unavailable, timedOut, later);
  shop.order();
  const controller = shop.controller();
  for (let time = 0; time < 5; time += 1) {
    shop.flows.flows.delete('create-order');
    controller.queue.soon(KEY);
    await controller.workFor(10_000);
    await putBack(shop, controller);
    suspend(shop, controller, true);
    await controller.work();
    suspend(shop, controller, false);
    await controller.workFor(10_000);
  }
  // Each of these acts may cost two writes, and the first trouble after it two more.
  expect(shop.server.writes).toBeLessThanOrEqual(5 * 8);
  await controller.workFor(2 * MINUTE_MS);
  const before = shop.server.writes;
  await controller.workFor(30 * MINUTE_MS);
  expect(shop.server.writes - before).toBeLessThanOrEqual(30);
});

describe('not at once, where a transaction that was stuck for long goes on', () => {
  let shop: Shop;
  let controller: Controller;

  beforeEach(async () => {
    shop = new Shop();
    const flow = patientFlow();
    shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, messages: [LOCK_WMS] } });
    allAnswer(shop, unavailable);
    shop.order();
    controller = shop.controller();
    await controller.workFor(2 * MINUTE_MS);
    expect(shop.now.status?.conditions).toMatchObject([{ type: 'Stuck', status: 'True', reason: 'TakingTooLong' }]);
    shop.participants.fault = () => 'none';
  });

  test('its decision and its end are all that is written', async () => {
    const before = shop.server.writes;
    while (shop.now.status?.decision === undefined) await controller.workFor(1_000);
    await controller.workFor(2_000);
    expect(shop.now.status).toMatchObject({ decision: 'Confirm', phase: 'Confirming', waitingFor: '', message: '' });
    controller.receipt('lock-wms', { kind: 'delivered' });
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded' });
    expect(shop.server.writes - before).toBe(2);
  });

  test('a receipt that does not come is told all the same', async () => {
    await controller.workFor(2 * MINUTE_MS);
    expect(shop.now.status).toMatchObject({
      ...{ phase: 'Delivering', waitingFor: 'lock-wms' },
      message: expect.stringContaining('its consumer has sent no receipt: is it running?'),
    });
  });
});
