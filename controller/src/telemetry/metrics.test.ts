/**
 * What the controller says of its transactions, and that it says no more however many there are and whatever people call things.
 */
import { describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { samplesOf, sumOf } from '../../../tests/world/prometheus-text.ts';
import { NO_SUCH_FLOW } from './gauges.ts';
import { FedMetrics, NOW_MS, OTHERS, seriesIn, stuckAt, transactionOf } from './testing/fed-metrics.ts';

const FLOWS = Array.from({ length: 10 }, (_, index) => `flow-${index}`);
const TARGETS = Array.from({ length: 10 }, (_, index) => `target-${index}`);
const BYTES_MAX = 1_000_000;
const MINUTE_MS = 60_000;

function flowOf(number: number): string {
  return FLOWS[number % FLOWS.length] ?? '';
}

function targetOf(number: number): string {
  return TARGETS[Math.floor(number / FLOWS.length) % TARGETS.length] ?? '';
}

test('after 100,000 transactions over 10 flows and 10 targets it is under 1 MB, and has had all its series since the 50,000th', async () => {
  const unfinished = Array.from({ length: 1_000 }, (_, number) =>
    transactionOf(number, flowOf(number), stuckAt(targetOf(number))),
  );
  const fed = new FedMetrics({ transactions: unfinished });
  const seriesAfter = async (from: number, to: number): Promise<number> => {
    for (let number = from; number < to; number += 1) fed.live(number, flowOf(number), [targetOf(number)]);
    fed.ms += 10_000;
    return seriesIn(await fed.text());
  };
  const half = await seriesAfter(0, 50_000);
  expect(await seriesAfter(50_000, 100_000)).toBe(half);
  const text = await fed.text();
  expect(sumOf(text, 'ordertx_transactions_finished_total')).toBe(100_000);
  expect(samplesOf(text, 'ordertx_transactions_stuck')).toHaveLength(FLOWS.length * TARGETS.length);
  expect(text.length).toBeLessThan(BYTES_MAX);
}, 60_000);

describe('names that people choose', () => {
  test('thousands of flows and targets make no more series than some', async () => {
    const fed = new FedMetrics();
    for (let number = 0; number < 3_000; number += 1) fed.live(number, `flow-${number}`, [`target-${number}`]);
    const text = await fed.text();
    expect(sumOf(text, 'ordertx_transactions_finished_total')).toBe(3_000);
    expect(sumOf(text, 'ordertx_transactions_finished_total', { flow: OTHERS })).toBe(2_900);
    expect(sumOf(text, 'ordertx_participant_calls_total', { participant: OTHERS })).toBe(5_800);
    expect(new Set(samplesOf(text, 'ordertx_transactions_finished_total').map(({ labels }) => labels.flow)).size).toBe(
      101,
    );
  });

  test('transactions of flows that are not there are counted together, and take no name away from one that is', async () => {
    const strays = Array.from({ length: 500 }, (_, number) => transactionOf(number, `stray-${number}`));
    const transactions = [...strays, transactionOf(500, 'create-order')];
    const fed = new FedMetrics({ transactions, flowExists: (_namespace, flow) => flow === 'create-order' });
    const held = samplesOf(await fed.text(), 'ordertx_transactions');
    expect(held.map(({ labels: { flow }, value }) => [flow, value])).toEqual([
      [NO_SUCH_FLOW, 500],
      ['create-order', 1],
    ]);
  });

  test('a flow that is missing is no target: those who wait for any number of them leave the names of participants alone', async () => {
    const missing = (flow: string): OrderTransaction['status'] => ({
      ...{ phase: 'Pending', waitingFor: flow, message: `the TransactionFlow ${flow} does not exist` },
      conditions: [
        { type: 'Stuck', status: 'True', reason: 'FlowNotFound', lastTransitionTime: '2026-03-01T11:00:00Z' },
      ],
    });
    const strays = Array.from({ length: 500 }, (_, number) =>
      transactionOf(number, `stray-${number}`, missing(`stray-${number}`)),
    );
    const transactions = [...strays, transactionOf(500, 'create-order', stuckAt('inventory'))];
    const fed = new FedMetrics({ transactions, flowExists: (_namespace, flow) => flow === 'create-order' });
    const text = await fed.text();
    for (const metric of ['ordertx_transactions_stuck', 'ordertx_transactions_failing']) {
      expect(samplesOf(text, metric).map(({ labels: { flow, target }, value }) => [flow, target, value])).toEqual([
        [NO_SUCH_FLOW, '', 500],
        ['create-order', 'inventory', 1],
      ]);
    }
  });

  test('of thousands of endpoints some are listed, those that answer nobody before all others', async () => {
    const closed = Array.from({ length: 2_000 }, (_, index) => [`http://10.0.0.1:${index}`, 'closed'] as const);
    const fed = new FedMetrics({ breakers: new Map([...closed, ['http://down', 'open']]) });
    const listed = samplesOf(await fed.text(), 'ordertx_participant_breaker_open');
    expect(listed).toHaveLength(100);
    expect(listed.find(({ value }) => value === 1)?.labels.endpoint).toBe('http://down');
  });
});

test('who is sent fewer calls at once than maxConcurrency says is listed with how many, the narrowest of thousands', async () => {
  const wider = Array.from({ length: 2_000 }, (_, index) => [`http://10.0.0.1:${index}`, 32] as const);
  const fed = new FedMetrics({ windows: new Map([...wider, ['http://slow', 4]]) });
  const listed = samplesOf(await fed.text(), 'ordertx_participant_calls_limit');
  expect(listed).toHaveLength(100);
  expect(listed.find(({ value }) => value === 4)?.labels.endpoint).toBe('http://slow');
});

describe('what is to be done', () => {
  const transactions = [
    transactionOf(1, 'create-order'),
    transactionOf(2, 'create-order', stuckAt('inventory'), NOW_MS - 5 * MINUTE_MS),
    transactionOf(3, 'create-order', stuckAt('inventory'), NOW_MS - 20 * MINUTE_MS),
    transactionOf(4, 'create-order', stuckAt('')),
    transactionOf(5, 'pay-order', { phase: 'Trying', waitingFor: 'order', message: 'order: 503' }),
    transactionOf(6, 'pay-order', { phase: 'Delivering', waitingFor: 'points', message: 'on hold: points (moved)' }),
    transactionOf(7, 'pay-order', { phase: 'Succeeded' }),
  ];
  const valuesOf = (text: string, metric: string) =>
    Object.fromEntries(
      samplesOf(text, metric).map(({ labels: { flow, target, phase }, value }) => [
        `${flow} ${target ?? phase}`,
        value,
      ]),
    );

  test('what is stuck is counted by flow and target, with the age of the oldest', async () => {
    const text = await new FedMetrics({ transactions }).text();
    expect(valuesOf(text, 'ordertx_transactions_stuck')).toEqual({ 'create-order inventory': 2, 'create-order ': 1 });
    expect(valuesOf(text, 'ordertx_transactions_stuck_oldest_age_seconds')).toEqual({
      'create-order inventory': 1_200,
      'create-order ': 0,
    });
  });

  test('what fails just now is told from what is on hold or suspended', async () => {
    const { spec, ...rest } = transactionOf(8, 'pay-order', {
      phase: 'Trying',
      waitingFor: 'order',
      message: 'suspended: x',
    });
    const suspended = { ...rest, spec: { ...spec, suspend: true } };
    const text = await new FedMetrics({ transactions: [...transactions, suspended] }).text();
    expect(valuesOf(text, 'ordertx_transactions_failing')).toEqual({
      'create-order inventory': 2,
      'pay-order order': 1,
    });
  });

  test('each is counted once, whoever scrapes how many replicas', async () => {
    const replicas = [0, 1, 2].map(
      (replica) =>
        new FedMetrics({
          transactions,
          owns: ({ metadata }) => Number(`0x${metadata.name.slice(-2)}`) % 3 === replica,
        }),
    );
    const texts = await Promise.all(replicas.map((replica) => replica.text()));
    const added: Record<string, number> = {};
    for (const text of texts)
      for (const [key, value] of Object.entries(valuesOf(text, 'ordertx_transactions')))
        added[key] = (added[key] ?? 0) + value;
    expect(added).toEqual({
      ...{ 'create-order Pending': 1, 'create-order Confirming': 3 },
      ...{ 'pay-order Trying': 1, 'pay-order Delivering': 1, 'pay-order Succeeded': 1 },
    });
    expect(texts.map((text) => sumOf(text, 'ordertx_transactions'))).toEqual([2, 3, 2]);
  });
});

describe('how long a transaction took', () => {
  const started = transactionOf(1, 'create-order');
  const decided = (decidedAt: string) =>
    ({ ...started, status: { decision: 'Confirm', decisionReason: 'AllTried', decidedAt } }) as const;

  test('one that was taken up at once is measured to the millisecond, whatever its whole seconds say', async () => {
    const fed = new FedMetrics();
    const told = fed.observe.observer.takenUp();
    fed.ms += 23;
    // Created at the end of a second, decided at the beginning of the next.
    told.stored(started, decided('2026-03-01T12:00:01Z'));
    expect(sumOf(await fed.text(), 'ordertx_transaction_decision_seconds_sum')).toBe(0.023);
  });

  test('one that was taken up late is measured by its dates', async () => {
    const fed = new FedMetrics();
    const told = fed.observe.observer.takenUp();
    fed.ms += 23;
    told.stored(started, decided('2026-03-01T12:05:00Z'));
    expect(sumOf(await fed.text(), 'ordertx_transaction_decision_seconds_sum')).toBe(300);
  });

  test.each([
    'on hold: inventory (stock count); the deadline runs on',
    'suspended: nothing is sent and nothing is decided',
  ])('what people kept waiting is counted and not timed: %s', async (message) => {
    const fed = new FedMetrics();
    const told = fed.observe.observer.takenUp();
    const kept: OrderTransaction = { ...started, status: { phase: 'Trying', message } };
    told.stored(started, kept);
    told.stored(kept, decided('2026-03-01T12:05:00Z'));
    told.stored(decided('2026-03-01T12:05:00Z'), {
      ...started,
      status: { ...decided('2026-03-01T12:05:00Z').status, phase: 'Succeeded', finishedAt: '2026-03-01T12:05:00Z' },
    });
    // One that was taken up when it was kept already, and its neighbour that nobody kept.
    fed.observe.observer.takenUp().stored(kept, decided('2026-03-01T12:05:00Z'));
    fed.observe.observer.takenUp().stored(started, decided('2026-03-01T12:00:00Z'));
    const text = await fed.text();
    expect(sumOf(text, 'ordertx_transactions_decided_total')).toBe(3);
    expect(sumOf(text, 'ordertx_transactions_finished_total')).toBe(1);
    expect(sumOf(text, 'ordertx_transaction_status_writes_count')).toBe(1);
    expect(sumOf(text, 'ordertx_transaction_decision_seconds_count')).toBe(1);
    expect(sumOf(text, 'ordertx_transaction_duration_seconds_count')).toBe(0);
  });

  test('the end counts the status writes until then, and a message that is given up once', async () => {
    const fed = new FedMetrics();
    const told = fed.observe.observer.takenUp();
    const messages = [{ name: 'payment-sms', delivery: 'BestEffort', state: 'GaveUp' }] as const;
    for (const result of ['conflict', 'stored', 'stored'] as const) told.statusWritten('news', result);
    const ended = { ...started, status: { phase: 'Succeeded', finishedAt: '2026-03-01T12:00:01Z', messages } } as never;
    told.stored(started, ended);
    told.stored(ended, ended);
    const text = await fed.text();
    expect(sumOf(text, 'ordertx_transaction_status_writes_sum', { flow: 'create-order' })).toBe(3);
    expect(sumOf(text, 'ordertx_transaction_status_writes_count')).toBe(1);
    expect(sumOf(text, 'ordertx_messages_given_up_total', { message: 'payment-sms' })).toBe(1);
    expect(sumOf(text, 'ordertx_transactions_finished_total')).toBe(1);
  });
});
