/**
 * What replicas of the version before send to their databases, in an order in which they do, with values like theirs.
 *
 * Every kept statement is sent at least once. `id` makes one run's rows others than another's, in the same database.
 */
export type Sent = readonly (readonly [statement: string, ...values: unknown[]])[];

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const LINES = JSON.stringify([{ skuId: 'tea', quantity: 2, unitPriceCents: 450 }]);

function kit(id: string): Sent {
  const [tried, message] = [`shop/create-${id}`, `${id}-message`];
  return [
    ['insert-branch', tried, 'order', '/tcc/create-order', 'Tried', 'digest', '{}'],
    ['insert-branch', tried, 'order', '/tcc/create-order', 'Tried', 'digest', '{}'],
    ['lock-branch', tried, 'order'],
    ['update-branch', tried, 'order', 'Confirmed', 'digest', null, '{"ok":true}', null, null],
    ['select-branch-path', tried, 'order'],
    ['lock-branch', tried, 'order'],
    ['delete-final-branches', 0, 10],
    ['insert-message', message, 'order.created'],
    ['insert-message', message, 'order.created'],
    ['clean-inbox', 0, 10],
    ['add-to-outbox', message, 'order', 'payment.succeeded', id, '{"a":1}', TRACEPARENT],
    ['add-to-outbox', message, 'order', 'payment.succeeded', id, '{"a":1}', null],
    ['claim-outbox', 10, 30],
    ['park-refused', message, 'no such order'],
    ['list-outbox', 10],
    ['count-outbox'],
    ['retry-refused', null],
    ['remove-delivered', [message]],
    ['note-unanswerable', `${id}-digest`, 'order', 'nonsense', 'no JSON'],
    ['note-unanswerable', `${id}-digest`, 'order', 'nonsense', 'no JSON still'],
    ['count-unanswerable'],
    ['clean-unanswerable', 0, 10],
  ];
}

function order(id: string): Sent {
  const [paid, closed, cancelled, never] = ['paid', 'closed', 'cancelled', 'never'].map((how) => `${id}-${how}`);
  const payload = (orderId: unknown) =>
    JSON.stringify({ orderId, userId: 'u1', lines: JSON.parse(LINES) as unknown, totalCents: 900 });
  const created = (orderId: unknown) => `shop/create-${String(orderId)}`;
  const accepted = (orderId: unknown) =>
    [
      'accept-order',
      'u1',
      `key-${String(orderId)}`,
      'digest',
      orderId,
      created(orderId),
      payload(orderId),
      TRACEPARENT,
      false,
      5,
    ] as const;
  const placed = (orderId: unknown): Sent => [
    accepted(orderId),
    ['place-order', orderId, created(orderId), 'u1', 900, LINES],
    ['confirm-order', orderId, created(orderId), 0],
    ['end-creation', created(orderId)],
  ];
  return [
    accepted(paid),
    accepted(paid),
    ['find-request', 'u1', `key-${paid}`],
    ['accepted-order', paid],
    ['get-order', paid],
    ['get-outcome', paid],
    ['await-creation', paid],
    ['claim-creations', 10, 2, 60, 3_600],
    ['postpone-creation', created(paid), 0, true, 'the API server answered 422'],
    ['count-creations'],
    ['clear-creation-failures', created(paid)],
    ['claim-creations', 10, 2, 60, 3_600],
    ['place-order', paid, created(paid), 'u1', 900, LINES],
    ['place-order', paid, 'shop/create-another', 'u1', 900, LINES],
    ['confirm-order', paid, created(paid), 1_800],
    ['end-creation', created(paid)],
    ['lock-order', paid],
    ['open-payment', `shop/pay-${id}`, 'p1', paid, 900, TRACEPARENT, 5],
    ['move-order', paid, 'PAYING', `shop/pay-${id}`, null, null],
    ['move-order', paid, 'PAID', null, 'p1', null],
    ['move-order', paid, 'SHIPPED', null, null, null],
    ['get-order', paid],
    ['get-outcome', paid],
    ...placed(closed),
    ['open-closes', 'shop', 10, 5],
    ['await-close', closed, `shop/close-${closed}-1`],
    ['lock-order', closed],
    ['end-close', closed, `shop/close-${closed}-1`, 10, 1],
    ['end-creation', `shop/close-${closed}-1`],
    ['open-withdrawal', closed, 'shop', TRACEPARENT, 5],
    ['end-close', closed, `shop/close-${closed}-2`, 10, 2],
    ['adopt-close', closed, `shop/close-${closed}-3`, 3],
    ['move-order', closed, 'CLOSING', `shop/close-${closed}-3`, null, 'the customer withdrew it'],
    ['move-order', closed, 'CLOSED', null, null, 'the customer withdrew it'],
    ['get-order', closed],
    accepted(cancelled),
    ['place-order', cancelled, created(cancelled), 'u1', 900, LINES],
    ['cancel-order', cancelled, created(cancelled), 'out of stock'],
    ['record-cancelled', created(never), never, payload(never), 'refused'],
    ['get-order', never],
    ['count-creations'],
    ['clean-requests', 0, 10],
  ];
}

function inventory(id: string): Sent {
  const [tea, pot] = [`${id}-tea`, `${id}-pot`];
  const freeze = (orderId: string, ...quantities: readonly number[]) =>
    ['freeze-stock', orderId, `shop/create-${orderId}`, [tea, pot].slice(0, quantities.length), quantities] as const;
  const [sold, returned, missing] = ['sold', 'returned', 'missing'].map((how) => `${id}-${how}`) as [
    string,
    string,
    string,
  ];
  return [
    ['put-stock', tea, 10],
    ['put-stock', pot, 5],
    ['put-stock', tea, 12],
    freeze(sold, 2, 1),
    freeze(sold, 2, 1),
    ['confirm-freeze', sold, `shop/create-${sold}`],
    ['lock-reservation', sold],
    ['mark-reservation', sold, 'shop/pay-1'],
    ['mark-reservation', sold, 'shop/close-1'],
    ['unmark-reservation', sold, 'shop/pay-1'],
    ['mark-reservation', sold, 'shop/pay-2'],
    ['end-reservation', sold, 'shop/pay-2', 'SOLD'],
    ['end-reservation', sold, 'shop/pay-2', 'SOLD'],
    ['lock-reservation', sold],
    freeze(returned, 3),
    ['end-reservation', returned, `shop/create-${returned}`, 'RETURNED'],
    freeze(missing, 1, 100),
    ['get-stock', tea],
    ['get-stock', pot],
  ];
}

function payment(id: string): Sent {
  const [first, second] = [`${id}-1`, `${id}-2`];
  return [
    ['insert-payment', first, id, 900],
    ['insert-payment', second, id, 900],
    ['get-payment', first],
    ['lock-payment', first],
    ['capture-payment', first, 900],
    ['capture-payment', first, 900],
    ['refund-payment', first, 'the order was closed'],
    ['refund-payment', first, 'the order was closed'],
    ['lock-payment', second],
    ['capture-payment', second, 800],
    ['get-payment', first],
    ['get-payment', second],
  ];
}

function notification(id: string): Sent {
  const [sent, failed] = [`${id}-sent`, `${id}-failed`];
  return [
    ['try-lock-calls', sent, '60000'],
    ['add-notification', sent, id, 'sms', 'u1', 'it is paid'],
    ['add-notification', sent, id, 'sms', 'u1', 'it is paid'],
    ['begin-attempt', sent, 'p1'],
    ['store-send', sent, 'sms', 'u1', 'it is paid'],
    ['end-attempt', sent, 'p1', 'sent', null],
    ['unlock-calls', sent],
    ['add-notification', failed, id, 'sms', 'u1', 'it is shipped'],
    ['begin-attempt', failed, 'p1'],
    ['end-attempt', failed, 'p1', 'failed', 'no credit'],
    ['find-notification', sent, 'p1'],
    ['find-notification', failed, 'p2'],
    ['list-notifications', id, 10],
  ];
}

function dispatch(id: string): Sent {
  return [
    ['open-dispatch', id, 'LOCKED'],
    ['open-dispatch', id, 'LOCKED'],
    ['lock-dispatch', id],
    ['move-dispatch', id, 'SCHEDULED'],
    ['get-dispatch', id],
  ];
}

function wms(id: string): Sent {
  return [
    ['open-shipment', id, 'LOCKED', LINES],
    ['open-shipment', id, 'LOCKED', LINES],
    ['lock-shipment', id],
    ['move-shipment', id, 'OUTBOUND'],
    ['move-shipment', id, 'SHIPPED'],
    ['get-shipment', id],
  ];
}

function member(id: string): Sent {
  return [
    ['insert-grant', id, 'p1', `${id}-user`, 9, 1],
    ['insert-grant', id, 'p2', `${id}-user`, 9, 1],
    ['get-granted-payment', id],
    ['sum-grants', `${id}-user`],
  ];
}

export const sentBy: Readonly<Record<string, (id: string) => Sent>> = {
  ...{ kit, order, inventory, payment, notification, dispatch, wms, member },
};
