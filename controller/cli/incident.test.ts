/** What is one cause is one incident, in however many words it is told, and every word finds all that it holds up. */
import { describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { BROKER_AWAY, HOST_UNKNOWN, REFUSED } from '../src/transaction/outcome.ts';
import { ANSWERS_NOBODY } from '../src/transaction/unanswering.ts';
import {
  incidentsOf,
  nextStepFor,
  ofIncident,
  sufferingsOf,
  waitsFor,
  type Ailment,
  type Incident,
} from './incident.ts';

let count = 0;

interface Trouble {
  readonly flow?: string;
  readonly target?: string;
  readonly why: string;
}

function failing({ flow = 'create-order', target = 'inventory', why }: Trouble): { transaction: OrderTransaction } {
  count += 1;
  const minute = String(count % 60).padStart(2, '0');
  return {
    transaction: {
      apiVersion: 'ordertx.dev/v1alpha1',
      kind: 'OrderTransaction',
      metadata: { name: `create-o${count}`, namespace: 'shop', creationTimestamp: `2026-11-22T23:${minute}:00Z` },
      spec: { flow, orderId: `o${count}`, payload: {}, suspend: false, cancelRequested: false },
      status: {
        phase: 'Trying',
        branches: [{ name: 'inventory', state: 'Untried' }],
        messages: [{ name: 'lock-wms', delivery: 'Reliable', state: 'Pending' }],
        waitingFor: target,
        message: `the try at ${target} is not done: ${why}`,
      },
    },
  };
}

function incidentsIn(found: readonly { readonly transaction: OrderTransaction }[]): readonly Incident[] {
  return incidentsOf(found.flatMap(({ transaction }) => sufferingsOf(transaction) ?? []));
}

const DEAD = 'refused the connection: is it running and listening on the port in the flow?';
const DYING = 'the connection broke off before the answer was complete: did it restart? read its log';
const times = (number: number, trouble: Trouble) => Array.from({ length: number }, () => failing(trouble));

describe('a participant that answers nobody', () => {
  const found = [...times(1, { why: DYING }), ...times(3, { why: DEAD }), ...times(6, { why: ANSWERS_NOBODY })];

  test('is one incident, in the words of most of those that have asked it', () => {
    const incidents = incidentsIn(found);
    expect(incidents).toHaveLength(1);
    expect(incidents[0]?.transactions).toHaveLength(10);
    expect(incidents[0]?.sentence).toContain(DEAD);
  });

  test('finds all that it holds up by any of its words, also when the ones that it was shown by have gone', () => {
    const ids = incidentsIn(found)[0]?.ids ?? [];
    expect(ids).toHaveLength(3);
    for (const id of ids) expect(ofIncident(id, found)).toEqual(found);
    const [shown = ''] = incidentsIn(found).map(({ id }) => id);
    expect(ids).toContain(shown);
  });

  test('is another incident for each flow, and beside what a participant has refused', () => {
    const more = [
      ...times(2, { flow: 'pay-order', why: ANSWERS_NOBODY }),
      ...times(1, { why: `${REFUSED}no such order` }),
    ];
    const incidents = incidentsIn([...found, ...more]);
    expect(incidents.map(({ flow, transactions }) => [flow, transactions.length]).toSorted()).toEqual([
      ['create-order', 1],
      ['create-order', 10],
      ['pay-order', 2],
    ]);
  });
});

test('one that answers somebody has as many causes as answers', () => {
  expect(incidentsIn([...times(2, { why: DEAD }), ...times(2, { why: 'answered 500: read its log' })])).toHaveLength(2);
});

test('what Redis did not take is nothing to mend at a consumer', () => {
  const [incident] = incidentsIn(times(1, { target: 'lock-wms', why: BROKER_AWAY }));
  expect(incident && nextStepFor(incident)).toMatch(/^mend Redis/);
});

test('a message’s consumer is named by the stream that it reads, an unknown host as the flow’s mistake', () => {
  const [silent] = incidentsIn(times(1, { target: 'lock-wms', why: 'its consumer has sent no receipt' }));
  expect(silent && nextStepFor(silent, 'wms')).toBe(
    'mend the consumer of lock-wms (the service that reads the stream wms), then retry',
  );
  const [lost] = incidentsIn(times(1, { why: HOST_UNKNOWN }));
  expect(lost && nextStepFor(lost)).toBe(
    'correct the endpoint of inventory in the flow create-order; it counts at once',
  );
});

describe('one that fails at two of its parts', () => {
  const two = (status: OrderTransaction['status'], suspend = false): { readonly transaction: OrderTransaction } => {
    const { transaction } = failing({ target: 'order', why: DEAD });
    return {
      transaction: {
        ...transaction,
        spec: { ...transaction.spec, suspend },
        status: { ...transaction.status, ...status },
      },
    };
  };
  const atBoth = two({
    branches: [
      { name: 'order', state: 'Untried', attempts: 7, lastError: DEAD },
      { name: 'inventory', state: 'Untried', attempts: 7, lastError: DEAD },
    ],
  });

  test('is held up by both, in the words that each would have by itself, and waits for either', () => {
    const alone = failing({
      target: 'inventory',
      why: `${DEAD} Next: it is asked again, until the deadline cancels the transaction`,
    });
    const incidents = incidentsIn([atBoth, alone]);
    expect(incidents.map(({ target, transactions }) => [target, transactions.length]).toSorted()).toEqual([
      ['inventory', 2],
      ['order', 1],
    ]);
    expect(['order', 'inventory', 'lock-wms'].map((target) => waitsFor(atBoth.transaction, target))).toEqual([
      true,
      true,
      false,
    ]);
    const atInventory = incidents.find(({ target }) => target === 'inventory')?.id ?? '';
    expect(ofIncident(atInventory, [atBoth, alone])).toEqual([atBoth, alone]);
  });

  test('and is published to nobody has one for each message', () => {
    const message = (name: string) =>
      ({ name, delivery: 'Reliable', state: 'Pending', lastError: BROKER_AWAY }) as const;
    const found = two({
      ...{ phase: 'Delivering', decision: 'Confirm', waitingFor: 'lock-dispatch' },
      message: `the message lock-dispatch is not delivered: ${BROKER_AWAY}`,
      branches: [{ name: 'order', state: 'Confirmed' }],
      messages: [message('lock-dispatch'), message('lock-wms'), { ...message('sms'), delivery: 'BestEffort' }],
    });
    expect(
      incidentsIn([found])
        .map(({ target, operation }) => [target, operation])
        .toSorted(),
    ).toEqual([
      ['lock-dispatch', 'deliver'],
      ['lock-wms', 'deliver'],
    ]);
  });

  test('has the alarm of who refuses there only, and while it is suspended one row', () => {
    const status = {
      ...{
        phase: 'Confirming',
        decision: 'Confirm',
        waitingFor: 'order',
        message: `the confirm at order is not done: ${REFUSED}no`,
      },
      branches: [
        { name: 'order', state: 'Tried', lastError: `${REFUSED}no` },
        { name: 'inventory', state: 'Tried', lastError: DEAD },
      ],
      conditions: [
        {
          type: 'Stuck',
          status: 'True',
          reason: 'ConfirmRefused',
          message: 'x',
          lastTransitionTime: '2026-11-22T23:15:00Z',
        },
      ],
    } as const satisfies OrderTransaction['status'];
    expect(
      incidentsIn([two(status)])
        .map(({ target, reason }) => [target, reason])
        .toSorted(),
    ).toEqual([
      ['inventory', 'TakingTooLong'],
      ['order', 'ConfirmRefused'],
    ]);
    expect(incidentsIn([two(status, true)])).toHaveLength(1);
  });
});

const AILMENT: Ailment = {
  ...{ namespace: 'shop', flow: 'create-order', target: 'order', operation: 'confirm', isSuspended: false },
  ...{ reason: 'ConfirmRefused', sentence: '' },
};

test.each([
  [
    'the confirm at order is not done: refused: it was never tried. Next: it is asked again',
    /^make order agree .* then settle it here$/,
  ],
  [
    'the confirm at order is not done: answered 503: is it running? Next: it is asked again',
    /^mend order, then retry; one that refused/,
  ],
])('after a refusal, of "%s": to settle by hand only what has refused', (sentence, step) => {
  expect(nextStepFor({ ...AILMENT, sentence })).toMatch(step);
});
