/**
 * Calls that wait for a place at their endpoint: what makes them needless, what re-aims them, and what does not wait for
 * them. Numbers are those of branch-calls.ts.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Branch, Decision, OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { settle } from '../runtime/manual-clock.ts';
import { branchesOf, branchIsOpen, operationFor } from '../transaction/phase.ts';
import { RETRY_ANNOTATION } from '../transaction/requests.ts';
import { endpointOf, FORBIDDEN } from './fakes.ts';
import type { BranchCall } from './ports.ts';
import { type Controller, flowNamed, KEY, Shop } from './shop-fake.ts';

const DEADLINE_MS = 30_000;

let shop: Shop;
let controller: Controller;

/** Calls that went out, as `<operation> <branch> <endpoint>`. */
let sent: string[];
let retries = 0;
let othersWork = false;
let wasAnothers = false;

beforeEach(() => {
  shop = new Shop();
  sent = [];
  shop.participants.onSent = ({ operation, participant }) =>
    void sent.push(`${operation} ${participant.name} ${endpointOf(participant)}`);
  setFlow();
  shop.order();
  controller = shop.controller();
});

/** One place at each endpoint. */
function setFlow(endpoints: Readonly<Record<string, string>> = {}, generation = 1): void {
  const flow = flowNamed('create-order');
  const participants = flow.spec.participants.map((each) => ({
    ...each,
    maxConcurrency: 1,
    endpoint: { service: { name: endpoints[each.name] ?? each.name, port: 8080 } },
  }));
  const changed: TransactionFlow = {
    ...flow,
    metadata: { ...flow.metadata, generation },
    spec: { ...flow.spec, participants },
  };
  shop.flows.flows.set('create-order', changed);
  controller?.queue.soon(KEY);
}

function edit(spec: Partial<OrderTransaction['spec']>): void {
  shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, ...spec } }));
  controller.queue.soon(KEY);
}

async function waitingForInventory(): Promise<() => Promise<void>> {
  const free = shop.participants.occupy('inventory');
  await controller.passes();
  expect(sent).not.toContain('try inventory inventory');
  return async () => {
    free();
    await settle();
    await controller.passes();
  };
}

/** Decided Confirm, confirmed by order; inventory's confirm waits. */
async function waitingToConfirm(): Promise<() => Promise<void>> {
  const free = await waitingForInventory();
  let freeAgain: () => void = () => undefined;
  shop.participants.takes = async (call) => {
    if (call.operation === 'try') freeAgain = shop.participants.occupy('inventory');
  };
  await free();
  expect(shop.now.status?.decision).toBe('Confirm');
  expect(sent).toEqual(['try order order', 'try inventory inventory', 'confirm order order']);
  return async () => {
    freeAgain();
    await settle();
    await controller.passes();
  };
}

describe('a call that waits for a place', () => {
  test('is sent when a place comes', async () => {
    const free = await waitingForInventory();
    await free();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('is not sent while its transaction is suspended, which is acknowledged at once; it is sent afterwards', async () => {
    const free = await waitingForInventory();
    edit({ suspend: true });
    await controller.passes();
    expect(shop.now.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Suspended', status: 'True' }));
    await free();
    expect(sent).toEqual(['try order order']);
    edit({ suspend: false });
    await controller.passes();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('is not sent after a suspension that no pass has seen yet', async () => {
    const free = await waitingForInventory();
    shop.server.edit(KEY, (stored) => ({ ...stored, spec: { ...stored.spec, suspend: true } }));
    await free();
    expect(sent).toEqual(['try order order']);
  });

  test('goes to the new endpoint at once when its flow is corrected, whatever the old one does', async () => {
    await waitingForInventory();
    setFlow({ inventory: 'inventory-2' }, 2);
    await controller.passes();
    expect(sent).toContain('try inventory inventory-2');
    expect(sent).not.toContain('try inventory inventory');
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('goes to the endpoint of the flow as it is, where no pass has seen the correction yet', async () => {
    const free = shop.participants.occupy('inventory');
    await controller.passes();
    const flow = shop.flows.flows.get('create-order');
    setFlow({ inventory: 'inventory-2' }, 2);
    expect(shop.flows.flows.get('create-order')).not.toBe(flow);
    free();
    await settle();
    expect(sent).toEqual(['try order order', 'try inventory inventory-2']);
  });

  test('keeps its turn when something else of the flow changes', async () => {
    const free = await waitingForInventory();
    const begun = shop.participants.begun;
    const flow = shop.flows.flows.get('create-order') as TransactionFlow;
    const spec = { ...flow.spec, stuckAfterSeconds: 61 };
    shop.flows.flows.set('create-order', { ...flow, metadata: { ...flow.metadata, generation: 2 }, spec });
    controller.queue.soon(KEY);
    await controller.passes();
    expect(shop.participants.begun).toBe(begun);
    await free();
    expect(sent.filter((call) => call.startsWith('try inventory'))).toHaveLength(1);
  });

  test('goes at once when the limit that it waits for is raised', async () => {
    await waitingForInventory();
    const flow = shop.flows.flows.get('create-order') as TransactionFlow;
    const participants = flow.spec.participants.map((each) => ({ ...each, maxConcurrency: 2 }));
    shop.flows.flows.set('create-order', {
      ...flow,
      metadata: { ...flow.metadata, generation: 2 },
      spec: { ...flow.spec, participants },
    });
    controller.queue.soon(KEY);
    await controller.passes();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('is not sent as a try once another branch has refused; the decision does not wait for it', async () => {
    shop.participants.refusesTry = (branch) => branch === 'order';
    const free = await waitingForInventory();
    expect(shop.now.status).toMatchObject({ decision: 'Cancel', decisionReason: 'Refused' });
    await free();
    expect(sent).toEqual(['try order order', 'cancel order order', 'cancel inventory inventory']);
    expect(shop.now.status?.phase).toBe('Cancelled');
  });

  test('is not sent as a try once its cancellation was requested', async () => {
    const free = await waitingForInventory();
    edit({ cancelRequested: true });
    await controller.passes();
    expect(shop.now.status?.decisionReason).toBe('CancelRequested');
    await free();
    expect(sent).not.toContain('try inventory inventory');
  });

  test('is not sent once its branch was settled by hand', async () => {
    const free = await waitingToConfirm();
    edit({ resolutions: [{ target: 'inventory', as: 'Confirmed', reason: 'counted by hand' }] });
    await controller.passes();
    expect(shop.now.status?.phase).toBe('Succeeded');
    await free();
    expect(sent).not.toContain('confirm inventory inventory');
  });

  test.each([
    ['whose transaction is gone', () => shop.server.remove(KEY)],
    ['whose transaction has passed to another replica', () => (controller.owns = false)],
    ['whose flow is gone', () => shop.flows.flows.clear()],
    ['of a controller that stops', () => controller.crash()],
  ])('%s is not sent, whether a pass has seen it or not', async (_why, change) => {
    const free = await waitingForInventory();
    change();
    await free();
    expect(sent).toEqual(['try order order']);
    await controller.passes();
    expect(sent).toEqual(['try order order']);
  });

  test('is not sent while the stored copy has to be read first', async () => {
    const free = await waitingForInventory();
    controller.store.fault = () => 'lost';
    edit({ cancelRequested: true });
    await controller.passes();
    await free();
    expect(sent).toEqual(['try order order']);
    controller.store.fault = () => 'none';
    await controller.workUntilFinal();
    expect(sent).not.toContain('try inventory inventory');
    expect(shop.now.status?.phase).toBe('Cancelled');
  });
});

test('a call that may not be sent is made again as soon as its flow is corrected', async () => {
  setFlow({ inventory: FORBIDDEN });
  await controller.passes();
  expect(shop.now.status?.waitingFor).toBe('inventory');
  setFlow({}, 2);
  await controller.passes();
  expect(shop.now.status?.phase).toBe('Succeeded');
});

describe('the deadline', () => {
  test('does not wait for the repetition of a try that was asked before', async () => {
    shop.participants.fault = ({ participant }) => (participant.name === 'inventory' ? 'lost' : 'none');
    await controller.passes();
    const free = shop.participants.occupy('inventory');
    shop.clock.ms += 1_000;
    await controller.passes();
    expect(sent.filter((call) => call.startsWith('try inventory'))).toHaveLength(1);
    shop.clock.ms += DEADLINE_MS;
    await controller.passes();
    expect(shop.now.status).toMatchObject({ decision: 'Cancel', decisionReason: 'DeadlineExceeded' });
    free();
  });

  test('decides nothing about a branch that could not be asked, and is decided by its first answer', async () => {
    const free = await waitingForInventory();
    shop.clock.ms += 2 * DEADLINE_MS;
    await controller.passes();
    expect(shop.now.status?.decision).toBeUndefined();
    shop.participants.fault = ({ participant, operation }) =>
      participant.name === 'inventory' && operation === 'try' ? 'lost' : 'none';
    await free();
    expect(sent.filter((call) => call.startsWith('try inventory'))).toHaveLength(1);
    expect(shop.now.status).toMatchObject({ phase: 'Cancelled', decisionReason: 'DeadlineExceeded' });
  });

  test('that came while the try waited still ends in Confirm when the try succeeds', async () => {
    const free = await waitingForInventory();
    shop.clock.ms += 2 * DEADLINE_MS;
    await controller.passes();
    await free();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', decisionReason: 'AllTried' });
  });

  test('puts a try that was never sent before the others', async () => {
    const free = await waitingForInventory();
    const overdue: boolean[] = [];
    shop.participants.onSent = (call) => {
      if (call.operation === 'try') overdue.push(call.overdue);
    };
    shop.clock.ms += DEADLINE_MS;
    await controller.passes();
    await free();
    expect(overdue).toEqual([true]);
  });
});

describe('whatever happens while calls wait', () => {
  const act = fc.oneof(
    { weight: 4, arbitrary: fc.constant('pass' as const) },
    { weight: 3, arbitrary: fc.constantFrom('occupy order' as const, 'occupy inventory' as const, 'free' as const) },
    fc.constantFrom('suspend' as const, 'resume' as const, 'ask for cancel' as const, 'settle by hand' as const),
    fc.constantFrom('move inventory' as const, 'lose the shard' as const, 'hold the shard' as const),
    fc.constantFrom('refuse' as const, 'lose answers' as const, 'answer' as const, 'lose writes' as const),
    fc.constantFrom(
      'inventory answers nobody' as const,
      'inventory answers another' as const,
      'ask for a retry' as const,
    ),
    fc.constantFrom('another controller works' as const, 'a second passes' as const, 'the deadline passes' as const),
  );
  type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

  /** A stored Tried counts only for the controller that has heard it (T5), and not any more once it was another's. */
  function isAskedAnew({ state }: Branch, decision: Decision | undefined): boolean {
    return (othersWork || wasAnothers) && decision === undefined && state === 'Tried';
  }

  function isWanted(call: BranchCall): boolean {
    const { spec, status = {} } = shop.now;
    const branch = branchesOf(status).find(({ name }) => name === call.participant.name);
    const flow = shop.flows.flows.get('create-order');
    const participant = flow?.spec.participants.find(({ name }) => name === call.participant.name);
    const settled = spec.resolutions?.some(({ target }) => target === call.participant.name) ?? false;
    return (
      !spec.suspend &&
      !settled &&
      call.operation === operationFor(status.decision) &&
      (branch === undefined || branchIsOpen(branch, status.decision) || isAskedAnew(branch, status.decision)) &&
      participant !== undefined &&
      endpointOf(participant) === endpointOf(call.participant)
    );
  }

  async function perform(step: Act, occupied: (() => void)[]): Promise<void> {
    const { decision } = shop.now.status ?? {};
    switch (step) {
      case 'pass':
        controller.queue.soon(KEY);
        await controller.passes();
        return;
      case 'occupy order':
      case 'occupy inventory':
        occupied.push(shop.participants.occupy(step.slice('occupy '.length)));
        return;
      case 'free':
        occupied.shift()?.();
        return;
      case 'suspend':
      case 'resume':
        edit({ suspend: step === 'suspend' });
        return;
      case 'ask for cancel':
        if (!decision) edit({ cancelRequested: true });
        return;
      case 'settle by hand': {
        const as = decision === 'Confirm' ? 'Confirmed' : 'Cancelled';
        if (decision) edit({ resolutions: [{ target: 'inventory', as, reason: 'by hand' }] });
        return;
      }
      case 'move inventory':
        setFlow({ inventory: 'inventory-2' }, 2);
        return;
      case 'lose the shard':
      case 'hold the shard':
        controller.owns = step === 'hold the shard';
        wasAnothers ||= !controller.owns;
        return;
      case 'refuse':
        shop.participants.refusesTry = (branch) => branch === 'order';
        return;
      case 'lose answers':
      case 'answer':
        shop.participants.fault = () => (step === 'answer' ? 'none' : 'answer-lost');
        return;
      case 'lose writes':
        controller.store.fault = () => 'answer-lost';
        await controller.passes();
        controller.store.fault = () => 'none';
        return;
      case 'inventory answers nobody':
        shop.participants.failFor('inventory', 3);
        return;
      case 'inventory answers another':
        shop.participants.answerOther('inventory');
        return;
      case 'ask for a retry': {
        retries += 1;
        const annotations = { [RETRY_ANNOTATION]: String(retries) };
        shop.server.edit(KEY, (stored) => ({ ...stored, metadata: { ...stored.metadata, annotations } }));
        return;
      }
      case 'another controller works': {
        const other = shop.controller();
        await other.pass();
        other.crash();
        return;
      }
      case 'a second passes':
        shop.clock.ms += 1_000;
        return;
      case 'the deadline passes':
        shop.clock.ms += DEADLINE_MS;
    }
  }

  test('nothing is sent that nobody wants at that moment, and everything still ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        shop = new Shop();
        setFlow();
        shop.order();
        controller = shop.controller();
        const unwanted: string[] = [];
        shop.participants.onSent = (call) => {
          if (!isWanted(call) || (!controller.owns && !othersWork))
            unwanted.push(`${call.operation} ${call.participant.name}`);
        };
        othersWork = wasAnothers = false;
        const occupied: (() => void)[] = [];
        for (const step of acts) {
          othersWork = step === 'another controller works';
          await perform(step, occupied);
          shop.clock.fireTimers();
          await settle();
        }
        othersWork = false;
        expect(unwanted).toEqual([]);
        for (const free of occupied) free();
        shop.participants.answerOther('inventory');
        shop.participants.fault = () => 'none';
        controller.owns = true;
        edit({ suspend: false });
        await controller.workUntilFinal();
        expect(unwanted).toEqual([]);
        expect([...shop.participants.effects.values()].every((count) => count === 1)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
