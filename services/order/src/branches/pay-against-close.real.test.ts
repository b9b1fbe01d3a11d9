/** Payments and closes of one order at the same moment: its row decides, and one of them has it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { done, OrderFixture, type Steps } from '../../testing/order-fixture.ts';

const ROUNDS = 40;

let fixture: OrderFixture;

beforeAll(async () => {
  fixture = await OrderFixture.open('against');
}, 30_000);
afterAll(() => fixture.close());

type Kind = 'payment' | 'close';
/** A close is the next one of the order, or where one is under way one that nobody has begun. */
async function make(kind: Kind, orderId: string): Promise<Steps> {
  if (kind === 'payment') return fixture.payment(orderId);
  const { closing } = await fixture.row(orderId);
  return closing === null ? fixture.beginClose(orderId) : fixture.closing(orderId, ++unbegun);
}
let unbegun = 100;
const WON: Readonly<Record<Kind, string>> = { payment: 'PAID', close: 'CLOSED' };

test.each<readonly [Kind, Kind]>([
  ['payment', 'close'],
  ['close', 'payment'],
  ['payment', 'payment'],
  ['close', 'close'],
])(
  'of a %s and a %s whose tries come together one is tried and one refused, whoever is first',
  async (first, second) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const orderId = await fixture.placed();
      const [one, two] = [await make(first, orderId), await make(second, orderId)];
      const answers = await Promise.all([one.try(), two.try()]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
      const oneWins = answers[0].status === 200;
      const [winner, loser, kind] = oneWins ? [one, two, first] : [two, one, second];
      expect(await fixture.row(orderId)).toMatchObject({ held_by: winner.transaction });
      expect(answers[oneWins ? 1 : 0]).toMatchObject({ state: 'Refused', code: 'refused' });
      await Promise.all(
        round % 2 === 0
          ? [done(winner, 'confirm'), done(loser, 'cancel')]
          : [done(loser, 'cancel'), done(winner, 'confirm')],
      );
      expect(await fixture.row(orderId)).toMatchObject({ status: WON[kind], held_by: null });
      expect(await fixture.history(orderId)).toHaveLength(4);
    }
  },
);

test('when the first one is cancelled the next one of either kind may have the order', async () => {
  for (const [first, second] of [
    ['payment', 'close'],
    ['close', 'payment'],
    ['payment', 'payment'],
    ['close', 'close'],
  ] as const) {
    const orderId = await fixture.placed();
    await done(await make(first, orderId), 'try', 'cancel');
    await done(await make(second, orderId), 'try', 'confirm');
    expect(await fixture.status(orderId)).toBe(WON[second]);
  }
});

test('a try that comes in the middle of the other one’s confirm waits for it, and is refused', async () => {
  for (const [first, second] of [
    ['payment', 'close'],
    ['close', 'payment'],
  ] as const) {
    const orderId = await fixture.placed();
    const [one, two] = [await make(first, orderId), await make(second, orderId)];
    await done(one, 'try');
    const [, late] = await Promise.all([done(one, 'confirm'), two.try()]);
    expect(late).toMatchObject({ status: 409, state: 'Refused' });
    expect(await fixture.status(orderId)).toBe(WON[first]);
  }
});

test('of many payments and closes at once exactly one has the order', async () => {
  for (let round = 0; round < 10; round += 1) {
    const orderId = await fixture.placed();
    const all: Steps[] = [];
    for (let turn = 0; turn < 8; turn += 1) all.push(await make(turn % 2 === 0 ? 'payment' : 'close', orderId));
    const answers = await Promise.all(all.map((each) => each.try()));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 7 }, () => 409)]);
    await Promise.all(all.map((each, index) => done(each, answers[index]?.status === 200 ? 'confirm' : 'cancel')));
    expect(['PAID', 'CLOSED']).toContain(await fixture.status(orderId));
    expect(await fixture.history(orderId)).toHaveLength(4);
  }
});
