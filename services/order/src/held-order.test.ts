/** Who may pay or close an order: both judgements as tables, over every status and whoever holds it, has paid it or closes it. */
import { describe, expect, test } from '@jest/globals';
import { judgeClose, judgePayment, type HeldOrder, type Verdict } from './held-order.ts';
import { FOREIGN_ATTEMPT } from '../../protocol/src/index.ts';
import { ORDER_STATUSES, type OrderStatus } from './orders.ts';

const ORDER: HeldOrder = {
  orderId: 'o1',
  transaction: 'shop/create-o1',
  status: 'PENDING_PAYMENT',
  userId: 'u1',
  totalCents: 2_500,
  heldBy: null,
  paymentId: null,
  closes: 0,
  closing: null,
};
const TAKE: Verdict = { kind: 'take' };
const DONE: Verdict = { kind: 'done' };
const LATER: Verdict = { kind: 'later', detail: 'the order is still being created' };
const refused = (detail: string): Verdict => ({ kind: 'refused', detail });

type Who = 'nobody' | 'this' | 'another';
const ANYBODY: readonly Who[] = ['nobody', 'this', 'another'];

/** For a row of a table, every combination of what its columns allow. */
function combinations<T>(columns: readonly (readonly T[])[]): readonly (readonly T[])[] {
  const [first, ...others] = columns;
  if (first === undefined) return [[]];
  return first.flatMap((value) => combinations(others).map((rest) => [value, ...rest]));
}

describe('a payment', () => {
  const TRANSACTION = 'shop/pay-p1';
  type Amount = 'right' | 'wrong';
  const ANY: readonly Amount[] = ['right', 'wrong'];
  /** Status, by whom it is held, by which payment it is paid, the payment's amount. */
  type Row = readonly [OrderStatus, readonly Who[], readonly Who[], readonly Amount[], Verdict];
  const TABLE: readonly Row[] = [
    ['INIT', ['nobody'], ['nobody'], ANY, LATER],
    ['PENDING_PAYMENT', ['nobody'], ['nobody'], ['right'], TAKE],
    [
      'PENDING_PAYMENT',
      ...([['nobody'], ['nobody'], ['wrong']] as const),
      refused('the order costs 2500 cents, and the payment is of 2499'),
    ],
    ['PAYING', ['this'], ['nobody'], ANY, DONE],
    ['PAYING', ['another'], ['nobody'], ANY, refused('another payment of the order is under way')],
    ['CLOSING', ['another'], ['nobody'], ANY, refused('the order is being closed')],
    ['PAID', ['nobody'], ['this'], ANY, DONE],
    ['PAID', ['nobody'], ['another'], ANY, refused('the order is paid already, by another payment')],
    ['SHIPPED', ['nobody'], ['this'], ANY, DONE],
    ['SHIPPED', ['nobody'], ['another'], ANY, refused('the order is paid already, by another payment')],
    ['RECEIVED', ['nobody'], ['this'], ANY, DONE],
    ['RECEIVED', ['nobody'], ['another'], ANY, refused('the order is paid already, by another payment')],
    ['CANCELLED', ['nobody'], ['nobody'], ANY, refused('the order was cancelled')],
    ['CLOSED', ['nobody'], ['nobody'], ANY, refused('the order is closed')],
  ];
  const holders = { nobody: null, this: TRANSACTION, another: 'shop/close-o1-1' };
  const payers = { nobody: null, this: 'p1', another: 'p2' };

  const cases = TABLE.flatMap(([status, held, paid, amounts, verdict]) =>
    (combinations<Who | Amount>([held, paid, amounts]) as readonly (readonly [Who, Who, Amount])[]).map(
      ([holder, payer, amount]) => ({ status, holder, payer, amount, verdict }),
    ),
  );

  test.each(cases)(
    'of the $amount amount: the order is $status, held by $holder, paid by $payer -> $verdict.kind',
    ({ status, holder, payer, amount, verdict }) => {
      const order = { ...ORDER, status, heldBy: holders[holder], paymentId: payers[payer] };
      const amountCents = amount === 'right' ? 2_500 : 2_499;
      // Whatever close is under way says nothing about it.
      for (const closing of [null, 'shop/close-o1-1']) {
        expect(
          judgePayment({ ...order, closing }, { transaction: TRANSACTION, paymentId: 'p1', userId: 'u1', amountCents }),
        ).toEqual(verdict);
      }
    },
  );

  test('the table has every order that the database can hold, once', () => {
    const legal = ORDER_STATUSES.flatMap((status) =>
      combinations<Who | Amount>([
        status === 'PAYING' ? ['this', 'another'] : status === 'CLOSING' ? ['another'] : ['nobody'],
        ['PAID', 'SHIPPED', 'RECEIVED'].includes(status) ? ['this', 'another'] : ['nobody'],
        ANY,
      ]).map((rest) => [status, ...rest].join(' ')),
    );
    const given = cases.map(({ status, holder, payer, amount }) => [status, holder, payer, amount].join(' '));
    expect(given.toSorted()).toEqual(legal.toSorted());
  });
});

describe('a close', () => {
  const TRANSACTION = 'shop/close-o1-2';
  /** Status, by whom it is held, which close is under way or has closed it. */
  type Row = readonly [OrderStatus, readonly Who[], readonly Who[], Verdict];
  const TABLE: readonly Row[] = [
    ['INIT', ['nobody'], ANYBODY, LATER],
    ['PENDING_PAYMENT', ['nobody'], ['this'], TAKE],
    ['PENDING_PAYMENT', ['nobody'], ['nobody'], refused('the order service has not begun this close')],
    ['PENDING_PAYMENT', ['nobody'], ['another'], refused('another close of the order is under way')],
    ['PAYING', ['another'], ANYBODY, refused('the order is being paid')],
    ['CLOSING', ['this'], ['this', 'another'], DONE],
    ['CLOSING', ['another'], ['this', 'another'], refused('the order is being closed already')],
    ['PAID', ['nobody'], ANYBODY, refused('the order is paid')],
    ['SHIPPED', ['nobody'], ANYBODY, refused('the order is paid')],
    ['RECEIVED', ['nobody'], ANYBODY, refused('the order is paid')],
    ['CANCELLED', ['nobody'], ANYBODY, refused('the order was cancelled')],
    ['CLOSED', ['nobody'], ['this'], DONE],
    ['CLOSED', ['nobody'], ['another'], refused('the order is closed already')],
  ];
  const transactions = { nobody: null, this: TRANSACTION, another: 'shop/close-o1-1' };

  const cases = TABLE.flatMap(([status, held, closings, verdict]) =>
    combinations([held, closings]).map(([holder = 'nobody', closer = 'nobody']) => ({
      ...{ status, holder, closer, verdict },
    })),
  );

  test.each(cases)(
    'when the order is $status, held by $holder, closed by $closer -> $verdict.kind',
    ({ status, holder, closer, verdict }) => {
      const paid = ['PAID', 'SHIPPED', 'RECEIVED'].includes(status) ? 'p1' : null;
      const order = { ...ORDER, status, heldBy: transactions[holder], paymentId: paid, closing: transactions[closer] };
      expect(judgeClose(order, TRANSACTION)).toEqual(verdict);
    },
  );

  test('the table has every order that the database can hold, once', () => {
    const legal = ORDER_STATUSES.flatMap((status) =>
      combinations<Who>([
        status === 'CLOSING' ? ['this', 'another'] : status === 'PAYING' ? ['another'] : ['nobody'],
        status === 'CLOSING' || status === 'CLOSED' ? ['this', 'another'] : ANYBODY,
      ]).map((rest) => [status, ...rest].join(' ')),
    );
    expect(cases.map(({ status, holder, closer }) => [status, holder, closer].join(' ')).toSorted()).toEqual(
      legal.toSorted(),
    );
  });
});

/** Whatever the order is, and whoever holds it, has paid it or closes it. */
const ANY_ORDER: readonly HeldOrder[] = ORDER_STATUSES.flatMap((status) =>
  [null, 'shop/pay-p1', 'shop/close-o1-2'].flatMap((other) => [
    { ...ORDER, status, heldBy: other, closing: other },
    { ...ORDER, status, heldBy: other, closing: other, paymentId: 'p1' },
  ]),
);

test.each([
  ['a copy', 'shop/pay-p1-again'],
  ['a copy in another namespace', 'other/pay-p1'],
  ["another payment's name", 'shop/pay-p2'],
  ["another flow's name", 'shop/create-o1'],
])('%s of a payment is refused, whatever the order is', (_, transaction) => {
  for (const order of ANY_ORDER)
    expect(judgePayment(order, { transaction, paymentId: 'p1', userId: 'u1', amountCents: 2_500 })).toEqual(
      refused(FOREIGN_ATTEMPT),
    );
});

test.each([
  ['a copy', 'shop/close-o1-2-again'],
  ['a copy in another namespace', 'other/close-o1-2'],
  ['a name without a number', 'shop/close-o1'],
  ['a number that is none', 'shop/close-o1-02'],
  ["another order's name", 'shop/close-o2-2'],
])('%s of a close is refused, whatever the order is', (_, transaction) => {
  for (const order of ANY_ORDER) expect(judgeClose(order, transaction)).toEqual(refused(FOREIGN_ATTEMPT));
});
