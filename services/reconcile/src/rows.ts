/**
 * What is read of each service, and where it stands in the books: one statement a table, each row about one order.
 *
 * A service that is not there is not read, and its part of the books stays undefined.
 */
import { sqlFile } from '../../kit/src/index.ts';
import type {
  Books,
  GrantEntry,
  NotificationEntry,
  OrderEntry,
  OutboxEntry,
  PaymentEntry,
  Quantities,
  ReservationEntry,
  ServiceName,
  StockEntry,
} from './books.ts';

/** Connection strings by service; as `services.NAME.databaseUrl` in stack.json. */
export type Databases = Readonly<Record<'order' | 'inventory', string> & Partial<Record<ServiceName, string>>>;

/** Books that are being written, with what is of use to whoever mends them. */
export interface Draft {
  readonly orders: Map<string, OrderEntry>;
  readonly creations: string[];
  readonly stock: Map<string, StockEntry>;
  readonly reservations: Map<string, ReservationEntry>;
  readonly payments: Map<string, PaymentEntry>;
  readonly dispatches: Map<string, string>;
  readonly shipments: Map<string, string>;
  readonly grants: Map<string, GrantEntry>;
  readonly notifications: Map<string, NotificationEntry>;
  readonly outboxes: OutboxEntry[];
  /** Transactions whose creation can be made again. */
  readonly kept: string[];
}

export interface OrderRow {
  readonly order_id: string;
  /** Since it was last changed, by its own database's clock. */
  readonly age_seconds: number;
}

export interface OrderTable<Columns = unknown> {
  readonly service: ServiceName;
  readonly statement: string;
  /** The row is one of this table's statement. */
  write(draft: Draft, row: OrderRow & Columns): void;
}

function table<Columns>(service: ServiceName, file: string, write: OrderTable<Columns>['write']): OrderTable<Columns> {
  return { service, statement: sqlFile(import.meta.url, `../sql/${file}.sql`), write };
}

export const STOCK = sqlFile(import.meta.url, '../sql/stock.sql');
export const OUTBOX = sqlFile(import.meta.url, '../sql/outbox.sql');

export const ORDER_TABLES: readonly OrderTable[] = [
  table<
    Omit<OrderEntry, 'wanted'> & { readonly lines: readonly { readonly skuId: string; readonly quantity: number }[] }
  >(
    ...(['order', 'orders'] as const),
    ({ orders }, { order_id: orderId, status, userId, totalCents, paymentId, lines }) => {
      const wanted = new Map(lines.map(({ skuId, quantity }) => [skuId, quantity]));
      orders.set(orderId, { status, userId, totalCents, paymentId, wanted });
    },
  ),
  table<{ readonly transaction: string; readonly ended: boolean }>(
    ...(['order', 'creations'] as const),
    ({ creations, kept }, { transaction, ended }) => void (ended ? kept : creations).push(transaction),
  ),
  table<Omit<ReservationEntry, 'held'> & { readonly lines: Readonly<Record<string, number>> | null }>(
    ...(['inventory', 'reservations'] as const),
    ({ reservations }, { order_id: orderId, state, markedBy, lines }) => {
      const held: Quantities = new Map(Object.entries(lines ?? {}));
      reservations.set(orderId, { state, markedBy, held });
    },
  ),
  table<Omit<PaymentEntry, 'orderId'> & { readonly payment_id: string }>(
    ...(['payment', 'payments'] as const),
    ({ payments }, { order_id: orderId, payment_id: paymentId, ...row }) => {
      const { status, capturedCents, refundedCents, surplus, refundsWaiting } = row;
      payments.set(paymentId, { orderId, status, capturedCents, refundedCents, surplus, refundsWaiting });
    },
  ),
  table<{ readonly state: string }>('dispatch', 'dispatches', ({ dispatches }, row) => {
    dispatches.set(row.order_id, row.state);
  }),
  table<{ readonly state: string }>('wms', 'shipments', ({ shipments }, row) => {
    shipments.set(row.order_id, row.state);
  }),
  table<GrantEntry>('member', 'grants', ({ grants }, { order_id: orderId, paymentId, userId, points, growth }) => {
    grants.set(orderId, { paymentId, userId, points, growth });
  }),
  table<{ readonly id: string; readonly outcomes: readonly (string | null)[] }>(
    ...(['notification', 'notifications'] as const),
    ({ notifications }, { order_id: orderId, id, outcomes }) => {
      notifications.set(id, { orderId, outcomes });
    },
  ),
];

export function newDraft(): Draft {
  return {
    ...{ orders: new Map(), creations: [], stock: new Map(), reservations: new Map(), payments: new Map() },
    ...{ dispatches: new Map(), shipments: new Map(), grants: new Map(), notifications: new Map() },
    ...{ outboxes: [], kept: [] },
  };
}

/** Of services that are not there the books say nothing. */
export function booksOf(draft: Draft, databases: Databases, transactions: Books['transactions'] = []): Books {
  const { payments, dispatches, shipments, grants, notifications, ...always } = draft;
  const { payment, dispatch, wms, member, notification } = databases;
  return {
    ...always,
    payments: payment === undefined ? undefined : payments,
    dispatches: dispatch === undefined ? undefined : dispatches,
    shipments: wms === undefined ? undefined : shipments,
    grants: member === undefined ? undefined : grants,
    notifications: notification === undefined ? undefined : notifications,
    transactions,
  };
}
