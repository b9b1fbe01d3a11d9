/**
 * What must hold of the services that follow by messages: dispatch, warehouse, member points and notices.
 */
import type { Books } from './books.ts';
import { PAID_STATUSES } from './money.ts';
import type { Found } from './violation.ts';

/** What dispatch and the warehouse say of an order of this status; an order that was cancelled they have never heard of. */
const DISPATCH_STATES: Readonly<Record<string, string | undefined>> = {
  PENDING_PAYMENT: 'LOCKED',
  PAID: 'SCHEDULED',
  SHIPPED: 'SCHEDULED',
  RECEIVED: 'SCHEDULED',
  CLOSED: 'RELEASED',
};
const SHIPMENT_STATES: Readonly<Record<string, string | undefined>> = {
  PENDING_PAYMENT: 'LOCKED',
  PAID: 'OUTBOUND',
  SHIPPED: 'SHIPPED',
  RECEIVED: 'SHIPPED',
  CLOSED: 'RELEASED',
};

export function* stateMismatches({ orders, dispatches, shipments }: Books): Found {
  for (const [where, states, expected] of [
    ['dispatch', dispatches, DISPATCH_STATES],
    ['wms', shipments, SHIPMENT_STATES],
  ] as const) {
    if (states === undefined) continue;
    for (const orderId of new Set([...orders.keys(), ...states.keys()])) {
      const status = orders.get(orderId)?.status ?? 'not there';
      const [has, should] = [states.get(orderId), expected[status]];
      if (has === should) continue;
      const says = `order ${orderId} is ${status}, and in ${where} it is ${has ?? 'not there'} instead of ${should ?? 'not there'}`;
      yield { ids: [orderId], says };
    }
  }
}

const CENTS_PER_POINT = 100;

export function* anotherPointsTotal({ orders, grants }: Books): Found {
  if (grants === undefined) return;
  for (const orderId of new Set([...orders.keys(), ...grants.keys()])) {
    const [order, grant] = [orders.get(orderId), grants.get(orderId)];
    const paid = order !== undefined && PAID_STATUSES.includes(order.status);
    const points = paid ? Math.floor(order.totalCents / CENTS_PER_POINT) : undefined;
    const same = grant === undefined || (grant.userId === order?.userId && grant.paymentId === order.paymentId);
    if (same && grant?.points === points && grant?.growth === points) continue;
    const has = grant === undefined ? 'none' : `${grant.points} points and ${grant.growth} growth for ${grant.userId}`;
    const status = order?.status ?? 'not there';
    yield { ids: [orderId], says: `order ${orderId} is ${status}; granted: ${has}; expected: ${points ?? 'none'}` };
  }
}

export function* noticesTooMany({ notifications }: Books): Found {
  for (const [id, { orderId, outcomes }] of notifications ?? []) {
    const sent = outcomes.filter((outcome) => outcome === 'sent').length;
    if (sent > 1) yield { ids: [orderId, id], says: `notification ${id} was sent ${sent} times` };
  }
}
