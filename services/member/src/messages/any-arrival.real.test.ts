/**
 * However the payments of a member's orders arrive, drawn by fast-check: again, in any order, several at the same moment, under
 * their own ids or under others. On a real database.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  anyArrival,
  ask,
  payloadsOf,
  received,
  runConsumer,
  type RunningConsumer,
  type Waves,
} from '../../../../tests/services/running-consumers.ts';
import { handleOnce } from '../../../kit/src/messages/inbox.ts';
import { TOTAL_CENTS_MAX, type PayOrderPayload } from '../../../protocol/src/index.ts';
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

interface Delivered {
  readonly points: unknown;
  readonly growth: unknown;
  /** By `order payment`: what the payment's deliveries were answered with. */
  readonly answers: ReadonlyMap<string, ReadonlySet<string>>;
}

async function deliver(waves: Waves<Payment>): Promise<Delivered> {
  const userId = `u${String(++users)}`;
  const answers = new Map<string, Set<string>>();
  for (const wave of waves) {
    await Promise.all(
      wave.map(async ({ type: { order, payment, amountCents: paid }, copy }) => {
        const orderId = `${userId}-o${String(order)}`;
        const data: PayOrderPayload = {
          ...payloadsOf(orderId, userId).paid,
          ...{ paymentId: payment, amountCents: paid },
        };
        const id = `shop/pay-${orderId}-${payment}/points-${String(copy)}`;
        const { kind } = await handleOnce(member.database, pointsGrant, received({ id, type: 'points.grant', data }));
        const key = `${String(order)} ${payment}`;
        answers.set(key, (answers.get(key) ?? new Set()).add(kind));
      }),
    );
  }
  const { points, growth } = (await ask(`${member.url}/members/${userId}`)).body;
  return { points, growth, answers };
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
      const { points, growth, answers } = await deliver(waves);
      expect({ points, growth }).toEqual({ points: worth(paid), growth: worth(paid) });
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
      const { points, answers } = await deliver(waves);
      const granted = paid.filter(({ payment }) => answers.get(`1 ${payment}`)?.has('delivered'));
      expect(granted).toHaveLength(1);
      expect(points).toBe(worth(granted));
      expect([...answers.values()]).toEqual(expect.arrayContaining([new Set(['delivered']), new Set(['refused'])]));
    }),
    { numRuns: RUNS },
  );
});
