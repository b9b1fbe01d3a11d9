/**
 * Reads what every service says, order by order, and tells of each order whose services disagree.
 *
 * 1. Each order is judged by the same invariants that the tests ask (invariants.ts), alone, so that what is said belongs to it.
 * 2. What is younger than `atRestSeconds` anywhere is in flight: it is counted and not judged. What is older and still on its way
 *    is a disagreement like any other.
 * 3. Stock is judged over all orders at once: of their reservations only the sums are kept.
 */
import type { Books, ReservationEntry } from './books.ts';
import { eachOrder, type OneOrder } from './each-order.ts';
import { INVARIANTS, judge } from './invariants.ts';
import { nextStep, type NextStep } from './next-step.ts';
import { booksOf, newDraft, type Databases } from './rows.ts';
import { takeSnapshots, type Snapshots } from './snapshots.ts';
import type { Violation } from './violation.ts';

const OF_STOCK = INVARIANTS.filter(({ of }) => of === 'stock');
const OF_ONE_ORDER = INVARIANTS.filter(({ of }) => of !== 'stock');

export type Disagreement =
  | {
      readonly kind: 'order';
      readonly orderId: string;
      /** By service, in a word or two. */
      readonly says: Readonly<Record<string, string>>;
      readonly broken: readonly Violation[];
      readonly next: NextStep;
    }
  | { readonly kind: 'stock'; readonly broken: readonly Violation[] }
  | { readonly kind: 'message'; readonly broken: readonly Violation[] };

export interface Counts {
  readonly orders: number;
  readonly inFlight: number;
  readonly disagreeing: number;
}

/** Resolves once everything was read; `tell` has been called for every disagreement by then. */
export async function reconcile(
  databases: Databases,
  { atRestSeconds }: { readonly atRestSeconds: number },
  tell: (disagreement: Disagreement) => void,
): Promise<Counts> {
  const snapshots = await takeSnapshots(databases);
  try {
    let [orders, inFlight, disagreeing] = [0, 0, 0];
    const say = (disagreement: Disagreement): void => {
      disagreeing += 1;
      tell(disagreement);
    };
    const sums = new Map<string, Map<string, number>>();
    for await (const order of eachOrder(snapshots)) {
      orders += 1;
      addReservation(sums, order);
      if (order.ageSeconds < atRestSeconds) {
        inFlight += 1;
        continue;
      }
      const disagreement = judgeOrder(order, databases);
      if (disagreement !== undefined) say(disagreement);
    }
    for (const broken of byFirstId(await judgeStock(snapshots, databases, sums))) say({ kind: 'stock', broken });
    for (const broken of byFirstId(await judgeOutboxes(snapshots, databases, atRestSeconds)))
      say({ kind: 'message', broken });
    return { orders, inFlight, disagreeing };
  } finally {
    await snapshots.close();
  }
}

function judgeOrder({ orderId, draft }: OneOrder, databases: Databases): Disagreement | undefined {
  const books = booksOf(draft, databases);
  const broken = judge(books, OF_ONE_ORDER);
  if (broken.length === 0) return undefined;
  return { kind: 'order', orderId, says: inWords(orderId, books), broken, next: nextStep(orderId, books, draft.kept) };
}

const NOTHING = 'nothing';

function inWords(orderId: string, books: Books): Readonly<Record<string, string>> {
  const { orders, reservations, payments, dispatches, shipments, grants } = books;
  const order = orders.get(orderId);
  const stock = reservations.get(orderId);
  return {
    order: order === undefined ? NOTHING : order.status + (order.paymentId === null ? '' : ` by ${order.paymentId}`),
    inventory:
      stock === undefined ? NOTHING : stock.state + (stock.markedBy === null ? '' : `, marked by ${stock.markedBy}`),
    ...(payments && {
      payment: [...payments].map(([paymentId, { status }]) => `${paymentId} ${status}`).join(', ') || NOTHING,
    }),
    ...(dispatches && { dispatch: dispatches.get(orderId) ?? NOTHING }),
    ...(shipments && { wms: shipments.get(orderId) ?? NOTHING }),
    ...(grants && { member: grants.has(orderId) ? `${String(grants.get(orderId)?.points)} points` : NOTHING }),
  };
}

/** By state, and then by SKU. */
type Sums = Map<string, Map<string, number>>;

function addReservation(sums: Sums, { orderId, draft }: OneOrder): void {
  const reservation = draft.reservations.get(orderId);
  if (reservation === undefined) return;
  const ofState = sums.get(reservation.state) ?? new Map<string, number>();
  sums.set(reservation.state, ofState);
  for (const [skuId, quantity] of reservation.held) ofState.set(skuId, (ofState.get(skuId) ?? 0) + quantity);
}

async function judgeStock(snapshots: Snapshots, databases: Databases, sums: Sums): Promise<readonly Violation[]> {
  const reservations = new Map<string, ReservationEntry>(
    [...sums].map(([state, held]) => [state, { state, held, markedBy: null }]),
  );
  const books = booksOf({ ...newDraft(), stock: new Map(await snapshots.stock()), reservations }, databases);
  return judge(books, OF_STOCK);
}

async function judgeOutboxes(
  snapshots: Snapshots,
  databases: Databases,
  atRestSeconds: number,
): Promise<readonly Violation[]> {
  const outboxes = (await snapshots.outboxes()).filter(
    ({ ageSeconds, refusedReason }) => refusedReason !== null || ageSeconds >= atRestSeconds,
  );
  return judge(booksOf({ ...newDraft(), outboxes }, databases), OF_ONE_ORDER);
}

/** What is said about one SKU, or one message, together. */
function byFirstId(violations: readonly Violation[]): readonly (readonly Violation[])[] {
  return [...Map.groupBy(violations, ({ ids }) => ids[0]).values()];
}
