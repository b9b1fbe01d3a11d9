/**
 * A flow that people and scripts edit: what waits under it is tried at once, and then no more often than by retry requests.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Operation } from '../transaction/outcome.ts';
import { RETRY_REQUEST_PAUSE_MS } from '../transaction/requests.ts';
import { FORBIDDEN } from './fakes.ts';
import { flowNamed, KEY, Shop, type Controller } from './shop-fake.ts';

function edit(shop: Shop, controller: Controller, generation: number, endpoint?: string): void {
  const flow = flowNamed('create-order');
  const participants = flow.spec.participants.map((participant) => ({
    ...participant,
    ...(endpoint !== undefined && { endpoint: { service: { name: endpoint, port: 8080 } } }),
  }));
  shop.flows.flows.set('create-order', {
    ...flow,
    metadata: { ...flow.metadata, generation },
    spec: { ...flow.spec, participants },
  });
  controller.queue.soon(KEY);
}

/** Its participants do not answer, and have been asked so often that the next attempts are a minute away. */
async function waiting(operation: Operation): Promise<{ shop: Shop; controller: Controller }> {
  const shop = new Shop();
  shop.participants.fault = (call) => (call.operation === operation ? 'lost' : 'none');
  const flow = flowNamed('create-order');
  shop.flows.flows.set('create-order', { ...flow, spec: { ...flow.spec, timeoutSeconds: 3_600 } });
  shop.order();
  const controller = shop.controller();
  await controller.workFor(100_000);
  return { shop, controller };
}

/** How often each branch is called in the time in which `act` is called every 50 ms. */
async function callsWithin(
  ms: number,
  operation: Operation,
  act: (shop: Shop, controller: Controller, turn: number) => void,
): Promise<Record<string, number>> {
  const { shop, controller } = await waiting(operation);
  const before = shop.participants.calls.length;
  for (let turn = 0; turn * 50 < ms; turn += 1) {
    act(shop, controller, turn);
    await controller.workFor(50);
  }
  const calls: Record<string, number> = {};
  for (const { branch } of shop.participants.calls.slice(before)) calls[branch] = (calls[branch] ?? 0) + 1;
  return calls;
}

describe('a flow that is edited', () => {
  test.each(['try', 'confirm'] as const)(
    'every 50 ms gives each branch one %s at once and then at most one in each pause beside the back-off',
    async (operation) => {
      const usual = await callsWithin(30_000, operation, () => undefined);
      const calls = await callsWithin(30_000, operation, (shop, controller, turn) => edit(shop, controller, turn + 2));
      for (const branch of ['order', 'inventory']) {
        expect(calls[branch]).toBeGreaterThan(0);
        expect(calls[branch]).toBeLessThanOrEqual((usual[branch] ?? 0) + 30_000 / RETRY_REQUEST_PAUSE_MS + 1);
      }
    },
  );

  test('soon after another edit is acted on when the pause is over, and the first at once', async () => {
    const { shop, controller } = await waiting('confirm');
    const before = shop.participants.calls.length;
    edit(shop, controller, 2);
    await controller.work();
    expect(shop.participants.calls.length - before).toBe(2);
    shop.participants.fault = () => 'none';
    edit(shop, controller, 3);
    await controller.workFor(RETRY_REQUEST_PAUSE_MS - 1);
    expect(shop.now.status?.phase).toBe('Confirming');
    await controller.workFor(1);
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('from one forbidden endpoint to the same again every 50 ms does not turn without a pause', async () => {
    const { shop, controller } = await waiting('confirm');
    const before = shop.participants.begun;
    for (let turn = 0; turn < 600; turn += 1) {
      edit(shop, controller, turn + 2, FORBIDDEN);
      await controller.workFor(50);
    }
    expect(shop.participants.begun - before).toBeLessThanOrEqual(2 * (30_000 / RETRY_REQUEST_PAUSE_MS + 2));
  });

  test('is acted on at once where the clock was set back meanwhile', async () => {
    const { shop, controller } = await waiting('confirm');
    edit(shop, controller, 2);
    await controller.work();
    shop.clock.ms -= 3_600_000;
    shop.participants.fault = () => 'none';
    edit(shop, controller, 3);
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('in any way at any moment never calls a branch twice in a pause because of it', async () => {
    const act = fc.record({ edits: fc.boolean(), waitMs: fc.constantFrom(0, 1, 50, 1_000, 4_000, 6_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 20 }), async (acts) => {
        const { shop, controller } = await waiting('confirm');
        const calledAtMs: number[] = [];
        shop.participants.onSent = ({ participant }) => {
          if (participant.name === 'order') calledAtMs.push(shop.clock.ms);
        };
        for (const [turn, { edits, waitMs }] of acts.entries()) {
          if (edits) edit(shop, controller, turn + 2);
          await controller.workFor(waitMs);
        }
        const spentMs = acts.reduce((sum, { waitMs }) => sum + waitMs, 0);
        // By now the back-off is at its longest: half a minute, at least, from one attempt to the next.
        const byBackoff = 1 + spentMs / 30_000;
        expect(calledAtMs.length).toBeLessThanOrEqual(1 + spentMs / RETRY_REQUEST_PAUSE_MS + byBackoff);
        if (acts.some(({ edits }) => edits)) expect(calledAtMs.length).toBeGreaterThan(0);
      }),
      { numRuns: 100 },
    );
  });
});
