/**
 * The loop's stories: one transaction, one controller, small working substitutes for everything outside.
 */
import { describe, expect, test } from '@jest/globals';
import { flowNamed, KEY, Shop } from './shop-fake.ts';

describe('one controller', () => {
  test('a happy transaction is written twice and every effect happens once', async () => {
    const shop = new Shop();
    shop.order();
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', decision: 'Confirm', decisionReason: 'AllTried' });
    expect(shop.server.writes).toBe(2);
    expect([...shop.participants.effects.values()]).toEqual([1, 1, 1, 1]);
    expect(shop.ended).toEqual([KEY]);
  });

  test('a refused transaction is cancelled everywhere in two writes and says why', async () => {
    const shop = new Shop();
    shop.participants.refusesTry = (branch) => branch === 'inventory';
    shop.order();
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({
      phase: 'Cancelled',
      decisionReason: 'Refused',
      message: 'inventory refused: refused',
      waitingFor: '',
    });
    expect(shop.server.writes).toBe(2);
    expect([...shop.participants.rows.values()]).toEqual(['Cancelled', 'Cancelled']);
  });

  test('no confirm or cancel is sent by a copy that does not carry the decision', async () => {
    const shop = new Shop();
    shop.order();
    await shop.controller().workUntilFinal();
    const early = shop.participants.calls.filter((call) => call.operation !== 'try' && call.decided === undefined);
    expect(early).toEqual([]);
  });

  test('trouble is written with the first failed attempt and then at most once a minute', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) =>
      call.participant.name === 'inventory' && call.operation === 'confirm' ? 'lost' : 'none';
    shop.order();
    const controller = shop.controller();
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Confirming', waitingFor: 'inventory' });
    expect(shop.server.writes).toBe(2);
    await controller.workFor(600_000);
    expect(shop.server.writes).toBeLessThanOrEqual(2 + 10 + 1);
    expect(shop.now.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Stuck', status: 'True' }));
    expect(shop.warnings).toEqual(['TakingTooLong']);
    shop.participants.fault = () => 'none';
    await controller.workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', waitingFor: '', message: '' });
    expect(shop.now.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Stuck', status: 'False' }));
  });

  test('a try that is never answered ends in Cancel at the deadline, for every branch', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) =>
      call.participant.name === 'inventory' && call.operation === 'try' ? 'lost' : 'none';
    shop.order();
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Cancelled', decisionReason: 'DeadlineExceeded' });
    expect([...shop.participants.rows.values()]).toEqual(['Cancelled', 'Cancelled']);
  });

  test('a branch that could not be called counts against no deadline, and is asked once it can be', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'unsent' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.workFor(3_600_000);
    expect(shop.now.status).toMatchObject({ phase: 'Trying', waitingFor: 'inventory' });
    expect(shop.now.status?.decision).toBeUndefined();
    expect(shop.participants.calls.length).toBeLessThan(150);
    shop.participants.fault = () => 'none';
    await controller.workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', decisionReason: 'AllTried' });
  });

  test('a branch that could not be called before the deadline is asked, and its silence then decides', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'unsent' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.workFor(60_000);
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
    await controller.workFor(120_000);
    expect(shop.now.status).toMatchObject({ phase: 'Cancelling', decisionReason: 'DeadlineExceeded' });
  });

  test('while an endpoint is forbidden no deadline decides: it is an alarm, until it is allowed or cancelled', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'blocked' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.workFor(3_600_000);
    expect(shop.now.status?.decision).toBeUndefined();
    expect(shop.now.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Stuck', status: 'True', reason: 'EndpointForbidden' }),
    );
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, cancelRequested: true } }));
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Cancelling', decisionReason: 'CancelRequested' });
  });

  test('a next attempt that a clock one hour fast has written is not waited for', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.operation === 'confirm' ? 'lost' : 'none');
    shop.order();
    const fast = shop.controller({ skewMs: 3_600_000 });
    await fast.work();
    expect(Date.parse(shop.now.status?.branches?.[0]?.nextAttemptTime ?? '')).toBeGreaterThan(shop.clock.now() + 3e6);
    fast.crash();
    shop.participants.fault = () => 'none';
    const controller = shop.controller();
    await controller.workFor(60_000);
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test.each([-3_600_000, 3_600_000])(
    'with a wall clock %d ms off, deadlines and times are the API server’s',
    async (ms) => {
      const shop = new Shop();
      shop.participants.fault = (call) => (call.operation === 'try' ? 'lost' : 'none');
      shop.order();
      const createdMs = shop.clock.now();
      const controller = shop.controller({ wallAheadMs: ms });
      await controller.workFor(29_000);
      expect(shop.now.status?.decision).toBeUndefined();
      await controller.workFor(5_000);
      const { decidedAt = '', startedAt = '', finishedAt = '', expires } = shop.now.status ?? {};
      expect(shop.now.status).toMatchObject({ phase: 'Cancelled', decisionReason: 'DeadlineExceeded' });
      expect(Date.parse(decidedAt) - createdMs).toBeGreaterThanOrEqual(30_000);
      expect(Date.parse(decidedAt) - createdMs).toBeLessThan(35_000);
      expect([startedAt, finishedAt].map((at) => at.slice(0, 14))).toEqual(['2026-01-01T00:', '2026-01-01T00:']);
      expect(expires).toBe('2026-01-01T00:05Z');
    },
  );

  test('however late: when every try is answered after the deadline, a restarted controller confirms', async () => {
    const shop = new Shop();
    shop.order();
    shop.clock.ms += 3_600_000;
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', decisionReason: 'AllTried' });
  });

  test('a refused confirm is an alarm at once, is asked again for ever, and ends when it is mended', async () => {
    const shop = new Shop();
    shop.order();
    const controller = shop.controller();
    shop.participants.fault = (call) => {
      if (call.operation === 'confirm' && call.participant.name === 'order')
        shop.participants.rows.set(`${KEY}/order`, 'Cancelled');
      return 'none';
    };
    await controller.work();
    expect(shop.now.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Stuck', status: 'True', reason: 'ConfirmRefused' }),
    );
    shop.participants.fault = () => 'none';
    shop.participants.rows.set(`${KEY}/order`, 'Tried');
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('a missing flow calls nobody; the transaction goes on when it appears', async () => {
    const shop = new Shop();
    shop.flows.flows.clear();
    shop.order();
    const controller = shop.controller();
    await controller.work();
    expect(shop.participants.calls).toEqual([]);
    expect(shop.now.status).toMatchObject({ phase: 'Pending' });
    expect(shop.now.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Stuck', reason: 'FlowNotFound' }),
    );
    shop.flows.flows.set('create-order', flowNamed('create-order'));
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('nobody is called under a flow whose finalizer is not stored yet; it goes on when it is', async () => {
    const shop = new Shop();
    const flow = flowNamed('create-order');
    shop.flows.flows.set('create-order', { ...flow, metadata: { ...flow.metadata, finalizers: [] } });
    shop.order();
    const controller = shop.controller();
    await controller.workFor(1_000);
    expect([shop.participants.calls, shop.now.status]).toEqual([[], undefined]);
    shop.flows.flows.set('create-order', flow);
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('a transaction begun by a cache that did not show its flow’s deletion is carried to its end under it', async () => {
    const shop = new Shop();
    shop.order();
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
    const controller = shop.controller();
    await controller.work();
    const flow = flowNamed('create-order');
    const { creationTimestamp = '' } = shop.now.metadata;
    const metadata = { ...flow.metadata, deletionTimestamp: creationTimestamp };
    shop.flows.flows.set('create-order', { ...flow, metadata });
    shop.participants.fault = () => 'none';
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('a flow that came back with fewer participants is not believed', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.work();
    shop.flows.flows.set('create-order', flowNamed('create-order', ['order']));
    shop.clock.ms += 120_000;
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Trying' });
    expect(shop.now.status?.message).toContain('lacks this transaction’s participant inventory'.replace('’', "'"));
    expect(shop.now.status?.decision).toBeUndefined();
  });

  test('a flow that came back with fewer participants between two passes is not believed either', async () => {
    const shop = new Shop();
    shop.order();
    const controller = shop.controller();
    await controller.pass();
    shop.flows.flows.set('create-order', flowNamed('create-order', ['order']));
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.participants.rows.get(`${KEY}/inventory`)).toBe('Tried');
    expect(shop.now.status?.message).toContain("lacks this transaction's participant inventory");
    expect(shop.now.status?.decision).toBeUndefined();
    shop.flows.flows.set('create-order', flowNamed('create-order'));
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect([...shop.participants.rows.values()]).toEqual(['Confirmed', 'Confirmed']);
  });

  test('a flow that was created again is tried at once, although its generation is the same', async () => {
    const shop = new Shop();
    const flow = flowNamed('create-order');
    const created = (uid: string) => ({ ...flow, metadata: { ...flow.metadata, uid, generation: 1 } });
    shop.flows.flows.set('create-order', created('one'));
    shop.participants.fault = (call) => (call.operation === 'confirm' ? 'lost' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.workFor(50_000);
    shop.participants.fault = () => 'none';
    shop.flows.flows.set('create-order', created('two'));
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('while it takes too long, its condition says what it waits for now', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.operation === 'confirm' ? 'lost' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.workFor(61_000);
    const stuck = () => shop.now.status?.conditions?.find(({ type }) => type === 'Stuck');
    const says = (name: string) =>
      `the confirm at ${name} is not done: no answer. Next: it is asked again, until it has done it`;
    expect(stuck()).toMatchObject({ status: 'True', message: says('order') });
    shop.participants.fault = (call) => (call.participant.name === 'inventory' ? 'lost' : 'none');
    await controller.workFor(120_000);
    expect(stuck()).toMatchObject({ status: 'True', message: says('inventory') });
  });

  test('suspended, it sends and decides nothing and says so; resumed, it goes on', async () => {
    const shop = new Shop();
    shop.order();
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, suspend: true } }));
    const controller = shop.controller();
    shop.clock.ms += 120_000;
    await controller.work();
    expect(shop.participants.calls).toEqual([]);
    expect(shop.now.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Suspended', status: 'True', observedGeneration: 1 }),
    );
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, suspend: false } }));
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('a cancel requested before the decision wins over all branches tried', async () => {
    const shop = new Shop();
    shop.order();
    shop.server.edit(KEY, (transaction) => ({ ...transaction, spec: { ...transaction.spec, cancelRequested: true } }));
    await shop.controller().workUntilFinal();
    expect(shop.now.status).toMatchObject({ phase: 'Cancelled', decisionReason: 'CancelRequested' });
  });

  test('a branch settled by hand is not called again and the transaction ends', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) =>
      call.participant.name === 'inventory' && call.operation === 'confirm' ? 'lost' : 'none';
    shop.order();
    const controller = shop.controller();
    await controller.work();
    shop.server.edit(KEY, (transaction) => ({
      ...transaction,
      spec: { ...transaction.spec, resolutions: [{ target: 'inventory', as: 'Confirmed', reason: 'done by hand' }] },
    }));
    const before = shop.participants.calls.length;
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
    expect(shop.participants.calls.length).toBe(before);
  });

  test('the retry annotation asks at once and is acknowledged', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.operation === 'confirm' ? 'lost' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.work();
    shop.participants.fault = () => 'none';
    shop.server.edit(KEY, (transaction) => ({
      ...transaction,
      metadata: { ...transaction.metadata, annotations: { 'ordertx.dev/retry-requested-at': 'now' } },
    }));
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status).toMatchObject({ phase: 'Succeeded', lastHandledRetryAt: 'now' });
  });

  test('a corrected flow is tried at once, not when the back-off ends', async () => {
    const shop = new Shop();
    shop.participants.fault = (call) => (call.operation === 'confirm' ? 'lost' : 'none');
    shop.order();
    const controller = shop.controller();
    await controller.workFor(50_000);
    shop.participants.fault = () => 'none';
    const flow = flowNamed('create-order');
    shop.flows.flows.set('create-order', { ...flow, metadata: { ...flow.metadata, generation: 2 } });
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
  });

  test('answers to calls under way survive the loss and the return of its shard: nobody is asked twice', async () => {
    const shop = new Shop();
    shop.order();
    const controller = shop.controller();
    await controller.pass();
    controller.owns = false;
    await controller.callsEnd();
    await controller.work();
    expect(shop.server.writes).toBe(0);
    controller.owns = true;
    controller.queue.soon(KEY);
    await controller.workUntilFinal();
    expect(shop.now.status?.phase).toBe('Succeeded');
    expect(shop.participants.calls.map(({ operation }) => operation)).toEqual(['try', 'try', 'confirm', 'confirm']);
  });

  test('what has ended, is gone, or is another replica’s does not wait in the queue for its deadline', async () => {
    const shop = new Shop();
    shop.participants.fault = () => 'later';
    const [ending, aside, deleted] = [shop.controller(), shop.controller(), shop.controller()];
    shop.order();
    for (const controller of [ending, aside, deleted]) {
      await controller.work();
      expect(controller.queue.nextAtMs()).toBeGreaterThan(shop.clock.ms);
      controller.queue.soon(KEY);
    }
    aside.owns = false;
    await aside.work();
    shop.participants.fault = () => 'none';
    await ending.workUntilFinal();
    await ending.work();
    shop.server.remove(KEY);
    deleted.queue.soon(KEY);
    await deleted.work();
    expect([ending, aside, deleted].map(({ queue }) => queue.nextAtMs())).toEqual([undefined, undefined, undefined]);
  });

  test('news of another replica’s transaction wakes nobody, unless something is known of it here', async () => {
    const shop = new Shop();
    shop.order();
    const [ours, theirs] = [shop.controller(), shop.controller()];
    theirs.owns = false;
    const isWokenByNews = (controller: ReturnType<Shop['controller']>) => {
      expect(controller.queue.take()).toBeUndefined();
      controller.heard();
      return controller.queue.take() === KEY;
    };
    await theirs.work();
    expect(isWokenByNews(theirs)).toBe(false);
    await ours.pass();
    expect(isWokenByNews(ours)).toBe(true);
    ours.owns = false;
    expect(isWokenByNews(ours)).toBe(true);
    theirs.owns = true;
    expect(isWokenByNews(theirs)).toBe(true);
    await ours.callsEnd();
  });

  test('a shard that is lost in between and carried on by another replica comes back to the same end', async () => {
    const shop = new Shop();
    shop.order();
    const controller = shop.controller();
    await controller.pass();
    controller.owns = false;
    await controller.callsEnd();
    await shop.controller().workUntilFinal();
    controller.owns = true;
    controller.queue.soon(KEY);
    await controller.work();
    expect(shop.now.status?.phase).toBe('Succeeded');
    expect([...shop.participants.effects.values()]).toEqual([1, 1, 1, 1]);
  });
});
