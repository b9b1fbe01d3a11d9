/**
 * What must hold over all data of all services once nothing is under way.
 *
 * Each invariant is a total pure function of the books with a name of its own. A service that joins the system adds its
 * invariants to the list. They overlap on purpose: one fault may break several, and each says it in its own words.
 */
import type { Books, Quantities } from './books.ts';

export interface Violation {
  readonly invariant: string;
  /** Orders, SKUs or transactions that are concerned. */
  readonly ids: readonly string[];
  readonly says: string;
}

export interface Invariant {
  readonly name: string;
  readonly check: (books: Books) => Iterable<Omit<Violation, 'invariant'>>;
}

/** Statuses by what an order of this status must hold of the stock. */
const HOLDS_FROZEN: readonly string[] = ['PENDING_PAYMENT'];
const HOLDS_SOLD: readonly string[] = ['PAID', 'SHIPPED', 'RECEIVED'];
const HOLDS_NOTHING: readonly string[] = ['CANCELLED', 'CLOSED'];
const PASSING_STATUSES: readonly string[] = ['INIT', 'PAYING', 'CLOSING'];
/** What is still to be confirmed or returned, and so frozen meanwhile. */
const FROZEN_STATES: readonly string[] = ['TRIED', 'FROZEN'];

export const INVARIANTS: readonly Invariant[] = [
  { name: 'everything has come to rest', check: restlessness },
  { name: 'sellable + frozen + sold = stocked', check: unitsLostOrFound },
  { name: 'no amount of stock is negative', check: negativeStock },
  { name: 'frozen and sold are what orders hold', check: stockNobodyHolds },
  {
    name: 'an order is PENDING_PAYMENT exactly while its stock is frozen',
    check: (books) => mismatches(books, HOLDS_FROZEN, 'FROZEN'),
  },
  {
    name: 'an order is PAID, SHIPPED or RECEIVED exactly when its stock is sold',
    check: (books) => mismatches(books, HOLDS_SOLD, 'SOLD'),
  },
  { name: 'an order is CANCELLED or CLOSED exactly when its stock is returned', check: stockNotReturned },
  { name: 'an order holds exactly what it ordered', check: otherQuantities },
  {
    name: 'an order has one create-order transaction, and its decision is what became of the order',
    check: otherDecisions,
  },
];

export function judge(books: Books): readonly Violation[] {
  return INVARIANTS.flatMap(({ name, check }) =>
    [...check(books)].map((violation) => ({ invariant: name, ...violation })),
  );
}

type Found = Iterable<Omit<Violation, 'invariant'>>;

function* restlessness({ orders, creations, reservations, transactions }: Books): Found {
  for (const [orderId, { status }] of orders) {
    if (PASSING_STATUSES.includes(status)) yield { ids: [orderId], says: `order ${orderId} is still ${status}` };
  }
  for (const orderId of creations)
    yield { ids: [orderId], says: `the creation of order ${orderId} is still in the outbox` };
  for (const [orderId, { state }] of reservations) {
    if (state === 'TRIED')
      yield { ids: [orderId], says: `the stock of order ${orderId} is tried, and neither confirmed nor cancelled` };
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

function* otherDecisions({ orders, transactions }: Books): Found {
  const names = new Map<string, string>();
  for (const { metadata, spec, status } of transactions) {
    if (spec.flow !== 'create-order') continue;
    const { name } = metadata;
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
