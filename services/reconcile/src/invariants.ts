/**
 * What must hold over all data of all services once nothing is under way.
 *
 * Each invariant is a total pure function of the books with a name of its own. A service that joins the system adds its
 * invariants to the list. They overlap on purpose: one fault may break several, and each says it in its own words.
 */
import { isAttempt, isFlow } from '../../protocol/src/index.ts';
import type { Books, Quantities } from './books.ts';
import { anotherPointsTotal, noticesTooMany, stateMismatches } from './followers.ts';
import { PAID_STATUSES, paymentsNobodyApplied, surplusNobodyGaveBack, wrongPayments } from './money.ts';
import type { Found, Violation } from './violation.ts';

export interface Invariant {
  readonly name: string;
  /** `stock`: of all orders at once. Every other one holds of each order by itself. */
  readonly of?: 'stock';
  readonly check: (books: Books) => Found;
}

/** Statuses by what an order of this status must hold of the stock. */
const HOLDS_FROZEN: readonly string[] = ['PENDING_PAYMENT'];
const HOLDS_NOTHING: readonly string[] = ['CANCELLED', 'CLOSED'];
const PASSING_STATUSES: readonly string[] = ['INIT', 'PAYING', 'CLOSING'];
/** What is still to be confirmed or returned, and so frozen meanwhile. */
const FROZEN_STATES: readonly string[] = ['TRIED', 'FROZEN'];

export const INVARIANTS: readonly Invariant[] = [
  { name: 'everything has come to rest', check: restlessness },
  { name: 'sellable + frozen + sold = stocked', of: 'stock', check: unitsLostOrFound },
  { name: 'no amount of stock is negative', of: 'stock', check: negativeStock },
  { name: 'frozen and sold are what orders hold', of: 'stock', check: stockNobodyHolds },
  {
    name: 'an order is PENDING_PAYMENT exactly while its stock is frozen',
    check: (books) => mismatches(books, HOLDS_FROZEN, 'FROZEN'),
  },
  {
    name: 'an order is PAID, SHIPPED or RECEIVED exactly when its stock is sold',
    check: (books) => mismatches(books, PAID_STATUSES, 'SOLD'),
  },
  { name: 'an order is CANCELLED or CLOSED exactly when its stock is returned', check: stockNotReturned },
  { name: 'an order holds exactly what it ordered', check: otherQuantities },
  {
    name: 'an order has one create-order transaction, and its decision is what became of the order',
    check: otherCreations,
  },
  { name: 'a confirmed payment or close is what became of the order', check: otherEnds },
  { name: 'every captured payment is applied or refunded, never both', check: paymentsNobodyApplied },
  { name: 'every further capture of a payment is given back', check: surplusNobodyGaveBack },
  { name: 'a paid order is paid by one captured payment of its amount', check: wrongPayments },
  { name: 'points are granted once per paid order', check: anotherPointsTotal },
  { name: 'dispatch and wms hold exactly one lock or outbound per live order', check: stateMismatches },
  { name: 'no customer is told the same thing twice', check: noticesTooMany },
];

export function judge(books: Books, invariants = INVARIANTS): readonly Violation[] {
  return invariants.flatMap(({ name, check }) =>
    [...check(books)].map((violation) => ({ invariant: name, ...violation })),
  );
}

function* restlessness({ orders, creations, reservations, payments, outboxes, transactions }: Books): Found {
  for (const [orderId, { status }] of orders) {
    if (PASSING_STATUSES.includes(status)) yield { ids: [orderId], says: `order ${orderId} is still ${status}` };
  }
  for (const transaction of creations)
    yield { ids: [transaction], says: `the creation of ${transaction} is still in the outbox` };
  for (const [orderId, { state, markedBy }] of reservations) {
    if (state === 'TRIED')
      yield { ids: [orderId], says: `the stock of order ${orderId} is tried, and neither confirmed nor cancelled` };
    if (markedBy !== null)
      yield { ids: [orderId], says: `the stock of order ${orderId} is still marked by ${markedBy}` };
  }
  for (const [paymentId, { orderId, refundsWaiting }] of payments ?? []) {
    if (refundsWaiting > 0) {
      const says = `the provider has not taken ${refundsWaiting} refunds of payment ${paymentId} yet`;
      yield { ids: [paymentId, orderId], says };
    }
  }
  for (const { service, id, refusedReason } of outboxes) {
    const why = refusedReason === null ? 'has no receipt' : `was refused: ${refusedReason}`;
    yield { ids: [id], says: `the message ${id} of ${service} ${why}` };
  }
  for (const { metadata, status } of transactions) {
    const phase = status?.phase ?? 'Pending';
    if (phase !== 'Succeeded' && phase !== 'Cancelled')
      yield { ids: [metadata.name], says: `transaction ${metadata.name} is still ${phase}` };
  }
}

function* unitsLostOrFound({ stock }: Books): Found {
  for (const [skuId, { stocked, sellable, frozen, sold }] of stock) {
    if (sellable + frozen + sold === stocked) continue;
    yield {
      ids: [skuId],
      says: `${skuId}: ${sellable} sellable + ${frozen} frozen + ${sold} sold is not ${stocked} stocked`,
    };
  }
}

function* negativeStock({ stock }: Books): Found {
  for (const [skuId, { stocked, sellable, frozen, sold }] of stock) {
    if (Math.min(stocked, sellable, frozen, sold) < 0)
      yield { ids: [skuId], says: `${skuId}: an amount is below zero` };
  }
}

function* stockNobodyHolds({ stock, reservations }: Books): Found {
  const frozen = new Map<string, number>();
  const sold = new Map<string, number>();
  for (const { state, held } of reservations.values()) {
    if (FROZEN_STATES.includes(state)) addTo(frozen, held);
    if (state === 'SOLD') addTo(sold, held);
  }
  for (const skuId of new Set([...stock.keys(), ...frozen.keys(), ...sold.keys()])) {
    const entry = stock.get(skuId);
    for (const [what, has, reserved] of [
      ['frozen', entry?.frozen ?? 0, frozen.get(skuId) ?? 0],
      ['sold', entry?.sold ?? 0, sold.get(skuId) ?? 0],
    ] as const) {
      if (has !== reserved)
        yield { ids: [skuId], says: `${skuId}: ${has} ${what} in stock, ${reserved} ${what} for orders` };
    }
  }
}

function addTo(sums: Map<string, number>, held: Quantities): void {
  for (const [skuId, quantity] of held) sums.set(skuId, (sums.get(skuId) ?? 0) + quantity);
}

/** Both ways round: an order of these statuses without stock in this state, and stock in this state without such an order. */
function* mismatches({ orders, reservations }: Books, statuses: readonly string[], state: string): Found {
  for (const [orderId, { status }] of orders) {
    const has = reservations.get(orderId)?.state ?? 'not there';
    if (statuses.includes(status) && has !== state) {
      yield { ids: [orderId], says: `order ${orderId} is ${status}, and its stock is ${has} instead of ${state}` };
    }
  }
  for (const [orderId, reservation] of reservations) {
    const status = orders.get(orderId)?.status ?? 'not there';
    if (reservation.state === state && !statuses.includes(status)) {
      yield { ids: [orderId], says: `the stock of order ${orderId} is ${state}, and the order is ${status}` };
    }
  }
}

/** An order that ended before its stock was ever frozen has nothing to return: no reservation is as good as a returned one. */
function* stockNotReturned({ orders, reservations }: Books): Found {
  for (const [orderId, { status }] of orders) {
    const state = reservations.get(orderId)?.state ?? 'RETURNED';
    if (HOLDS_NOTHING.includes(status) && state !== 'RETURNED') {
      yield { ids: [orderId], says: `order ${orderId} is ${status}, and its stock is ${state}` };
    }
  }
  for (const [orderId, { state }] of reservations) {
    const status = orders.get(orderId)?.status ?? 'not there';
    if (state === 'RETURNED' && !HOLDS_NOTHING.includes(status)) {
      yield { ids: [orderId], says: `the stock of order ${orderId} is returned, and the order is ${status}` };
    }
  }
}

function* otherQuantities({ orders, reservations }: Books): Found {
  for (const [orderId, { held }] of reservations) {
    const wanted = orders.get(orderId)?.wanted;
    if (wanted === undefined || sameQuantities(wanted, held)) continue;
    yield {
      ids: [orderId],
      says: `order ${orderId} ordered ${inWords(wanted)} and its reservation is of ${inWords(held)}`,
    };
  }
}

function sameQuantities(left: Quantities, right: Quantities): boolean {
  return left.size === right.size && [...left].every(([skuId, quantity]) => right.get(skuId) === quantity);
}

function inWords(quantities: Quantities): string {
  return quantities.size === 0
    ? 'nothing'
    : [...quantities].map(([skuId, quantity]) => `${quantity} ${skuId}`).join(', ');
}

/** One under another name than the order's own changes nothing, so it says nothing of the order, as long as it was cancelled. */
function isCancelledCopy(
  name: string,
  { flow, orderId, payload }: Books['transactions'][number]['spec'],
  decision: string | undefined,
): boolean {
  if (decision !== 'Cancel' || !isFlow(flow)) return false;
  return !isAttempt(flow, name, { orderId, paymentId: String(payload.paymentId) });
}

function* otherCreations({ orders, transactions }: Books): Found {
  const names = new Map<string, string>();
  for (const { metadata, spec, status } of transactions) {
    const { name } = metadata;
    if (spec.flow !== 'create-order' || isCancelledCopy(name, spec, status?.decision)) continue;
    const twin = names.get(spec.orderId);
    names.set(spec.orderId, name);
    const order = orders.get(spec.orderId)?.status ?? 'not there';
    if (twin !== undefined)
      yield { ids: [spec.orderId, twin, name], says: `${twin} and ${name} both create order ${spec.orderId}` };
    if (status?.decision === 'Confirm' && ['not there', 'INIT', 'CANCELLED'].includes(order)) {
      yield { ids: [spec.orderId, name], says: `${name} was confirmed, and order ${spec.orderId} is ${order}` };
    }
    if (status?.decision === 'Cancel' && order !== 'CANCELLED') {
      yield { ids: [spec.orderId, name], says: `${name} was cancelled, and order ${spec.orderId} is ${order}` };
    }
  }
}

/** A pay-order that was confirmed has paid its order, a close-order has closed it; of the cancelled ones neither. */
function* otherEnds({ orders, transactions }: Books): Found {
  for (const { metadata, spec, status } of transactions) {
    const { name } = metadata;
    const order = orders.get(spec.orderId);
    const is = order === undefined ? 'not there' : order.status;
    const ids = [spec.orderId, name];
    if (isCancelledCopy(name, spec, status?.decision)) continue;
    if (spec.flow === 'pay-order' && status?.decision !== undefined) {
      const paid = order?.paymentId === spec.payload.paymentId && PAID_STATUSES.includes(is);
      if (paid !== (status.decision === 'Confirm'))
        yield { ids, says: `the decision of ${name} is ${status.decision}, and order ${spec.orderId} is ${is}` };
    }
    if (spec.flow === 'close-order' && status?.decision === 'Confirm' && is !== 'CLOSED')
      yield { ids, says: `${name} was confirmed, and order ${spec.orderId} is ${is}` };
  }
}
