/**
 * What the services' databases and the cluster say, side by side: the material the invariants judge, of all orders or of one.
 *
 * The services are not read at one moment, so the books agree only while nothing is under way. A system may lack services: what
 * an absent one would say is undefined, and invariants about it hold. A service that joins adds its part here and its statement to
 * rows.ts.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';

/** Whose data is read. */
export type ServiceName = 'order' | 'inventory' | 'payment' | 'dispatch' | 'wms' | 'member' | 'notification';

/** Quantity by SKU id. */
export type Quantities = ReadonlyMap<string, number>;

export interface OrderEntry {
  readonly status: string;
  readonly userId: string;
  readonly totalCents: number;
  /** Of the payment that has paid it. */
  readonly paymentId: string | null;
  readonly wanted: Quantities;
}

export interface StockEntry {
  readonly stocked: number;
  readonly sellable: number;
  readonly frozen: number;
  readonly sold: number;
}

export interface ReservationEntry {
  readonly state: string;
  readonly held: Quantities;
  /** The transaction that is about to end it. */
  readonly markedBy: string | null;
}

export interface PaymentEntry {
  readonly orderId: string;
  readonly status: string;
  /** null: nothing was captured. */
  readonly capturedCents: number | null;
  /** Of what it captured; null: nothing was refunded. */
  readonly refundedCents: number | null;
  /** Captures besides the one that has captured it. */
  readonly surplus: readonly SurplusEntry[];
  /** Refunds that the provider has not taken yet. */
  readonly refundsWaiting: number;
}

export interface SurplusEntry {
  readonly captureId: string;
  readonly cents: number;
  /** null: nothing of it was refunded. */
  readonly refundedCents: number | null;
}

export interface GrantEntry {
  readonly paymentId: string;
  readonly userId: string;
  readonly points: number;
  readonly growth: number;
}

export interface NotificationEntry {
  readonly orderId: string;
  /** Attempts, by how they ended; null for one that was cut off. */
  readonly outcomes: readonly (string | null)[];
}

/** A message that a service has started and that has no receipt. */
export interface OutboxEntry {
  readonly service: string;
  readonly id: string;
  readonly refusedReason: string | null;
}

export interface Books {
  /** By order id. */
  readonly orders: ReadonlyMap<string, OrderEntry>;
  /** Transactions in the creation outbox. */
  readonly creations: readonly string[];
  /** By SKU id. */
  readonly stock: ReadonlyMap<string, StockEntry>;
  /** By order id. */
  readonly reservations: ReadonlyMap<string, ReservationEntry>;
  /** By payment id. */
  readonly payments: ReadonlyMap<string, PaymentEntry> | undefined;
  /** States by order id. */
  readonly dispatches: ReadonlyMap<string, string> | undefined;
  /** States by order id. */
  readonly shipments: ReadonlyMap<string, string> | undefined;
  /** By order id. */
  readonly grants: ReadonlyMap<string, GrantEntry> | undefined;
  /** By the message's id. */
  readonly notifications: ReadonlyMap<string, NotificationEntry> | undefined;
  readonly outboxes: readonly OutboxEntry[];
  /** Those that are not removed yet; none when the caller gave none. */
  readonly transactions: readonly OrderTransaction[];
}
