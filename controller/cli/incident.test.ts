/** What is one cause is one incident, in however many words it is told, and every word finds all that it holds up. */
import { describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { BROKER_AWAY, REFUSED } from '../src/transaction/outcome.ts';
import { ANSWERS_NOBODY } from '../src/transaction/unanswering.ts';
import {
  ailmentOf,
  incidentsOf,
  nextStepFor,
  ofIncident,
  suffererOf,
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
  return incidentsOf(
    found.flatMap(({ transaction }) => {
      const ailment = ailmentOf(transaction);
      return ailment === undefined ? [] : [[suffererOf(transaction), ailment] as const];
    }),
  );
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
