/**
 * However the payments of a member's orders arrive, drawn by fast-check: again, in any order, several at the same moment, under
 * their own ids or under others. On a real database.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
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
import { handleOnce } from '../../../kit/src/messages/inbox.ts';
import { TOTAL_CENTS_MAX, type PayOrderPayload } from '../../../protocol/src/index.ts';
import { TEST_NAMESPACE } from '../../../../tests/services/running.ts';
import { pointsGrant } from './points-grant.ts';

const RUNS = 100;

let member: RunningConsumer;
let users = 0;

beforeAll(async () => {
  member = await runConsumer('member');
});
afterAll(() => member.close());

interface Payment {
  /** Which of the member's orders. */
  readonly order: number;
  readonly payment: string;
  readonly amountCents: number;
}

const amountCents = fc.oneof(fc.nat({ max: 1_000 }), fc.nat({ max: TOTAL_CENTS_MAX }));

async function deliverAll(waves: Waves<Payment>) {
  const userId = `u${String(++users)}`;
  const { looks, answers } = await deliverWaves(
    waves,
    async ({ type: { order, payment, amountCents: paid }, copy }) => {
      const orderId = `${userId}-o${String(order)}`;
      const data: PayOrderPayload = {
        ...payloadsOf(orderId, userId).paid,
        ...{ paymentId: payment, amountCents: paid },
      };
      const id = `shop/pay-${orderId}-${payment}/points-${String(copy)}`;
      return (
        await handleOnce(member.database, pointsGrant(TEST_NAMESPACE), received({ id, type: 'points.grant', data }))
      ).kind;
    },
    async () => (await ask(`${member.url}/members/${userId}`)).body,
  );
  return { granted: looks.at(-1), answers };
}

const worth = (paid: readonly Payment[]): number =>
  paid.reduce((sum, { amountCents: paidCents }) => sum + Math.floor(paidCents / 100), 0);

test('every order paid is granted once', async () => {
  const payments = fc
    .array(amountCents, { minLength: 1, maxLength: 4 })
    .map((amounts) => amounts.map((paid, order): Payment => ({ order, payment: 'first', amountCents: paid })));
  const arrivals = payments.chain((paid) => fc.tuple(fc.constant(paid), anyArrival(paid)));
  await fc.assert(
    fc.asyncProperty(arrivals, async ([paid, waves]) => {
      const { granted, answers } = await deliverAll(waves);
      expect(granted).toMatchObject({ points: worth(paid), growth: worth(paid) });
      for (const kinds of answers.values()) expect(kinds).toEqual(new Set(['delivered']));
    }),
    { numRuns: RUNS },
  );
});

test('of two payments of one order one is granted, and the other one always refused', async () => {
  const payments = fc
    .tuple(amountCents, amountCents)
    .map((amounts) =>
      amounts.map((paid, index): Payment => ({ order: 1, payment: `p${String(index)}`, amountCents: paid })),
    );
  const arrivals = payments.chain((paid) => fc.tuple(fc.constant(paid), anyArrival(paid)));
  await fc.assert(
    fc.asyncProperty(arrivals, async ([paid, waves]) => {
      const { granted, answers } = await deliverAll(waves);
      const delivered = paid.filter((payment) => answers.get(payment)?.has('delivered'));
      expect(delivered).toHaveLength(1);
      expect(granted).toMatchObject({ points: worth(delivered) });
      expect([...answers.values()]).toEqual(expect.arrayContaining([new Set(['delivered']), new Set(['refused'])]));
    }),
    { numRuns: RUNS },
  );
});
