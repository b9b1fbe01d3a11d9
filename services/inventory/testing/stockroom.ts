/**
 * A running inventory, and orders as it sees them: the branches of their creation, payments and closings, and what they hold.
 */
import { callBranch, type BranchAnswer } from '../../../tests/services/call-branch.ts';
import { runInventory, TEST_NAMESPACE, type RunningTestService } from '../../../tests/services/running.ts';
import { until } from '../../kit/testing/until.ts';
import type { Operation } from '../../protocol/src/index.ts';

/** Quantity by SKU id. */
export type Wanted = Readonly<Record<string, number>>;

/**
 * One transaction's branch. A 503 is asked again, as the controller would: a loaded machine may keep a crowd waiting for longer
 * than the service waits for its database. A deadlock is a 503 as well, and is counted by the database.
 */
export interface Steps {
  /** `<namespace>/<name>`. */
  readonly transaction: string;
  readonly try: () => Promise<BranchAnswer>;
  readonly confirm: () => Promise<BranchAnswer>;
  readonly cancel: () => Promise<BranchAnswer>;
}

export interface TestOrder {
  readonly orderId: string;
  readonly creation: Steps;
  /** Another payment each time; by default with the order's own lines. */
  payment(lines?: Wanted): Steps;
  /** Another closing each time; by default with the order's own lines. */
  closing(lines?: Wanted): Steps;
}

export interface ReservationRow {
  readonly state: string;
  readonly marked_by: string | null;
  readonly ended_by: string | null;
  readonly lines: Wanted;
}

export interface Stockroom {
  readonly inventory: RunningTestService;
  stock(skuId: string, stocked: number): Promise<void>;
  stockOf(skuId: string): Promise<unknown>;
  reservationOf(orderId: string): Promise<ReservationRow | undefined>;
  /** An order that inventory has not heard of; the transaction is its creation's. */
  order(wanted: Wanted, orderId?: string, transaction?: string): TestOrder;
  /** An order whose creation is confirmed. There must be enough stock. */
  placed(wanted: Wanted): Promise<TestOrder>;
  /** The same with the SKUs stocked for it, each with so many units. */
  placedFrom(stocked: number, wanted: Wanted): Promise<TestOrder>;
  /** Forgets that these branches were ever called, as the fence's cleaning does in the end. */
  forget(...branches: readonly Steps[]): Promise<void>;
  /** Keeps a SKU's row locked, from outside, for as long as `work` takes. */
  holding<T>(skuId: string, work: () => Promise<T>): Promise<T>;
  /** Those of these SKUs' rows that nobody has locked. */
  unlocked(...skuIds: readonly string[]): Promise<readonly string[]>;
  /** So many connections wait for a lock. */
  untilWaiting(connections: number): Promise<void>;
  /** Ends the service: a connection's statistics are complete once it has ended. */
  deadlocks(): Promise<number>;
  close(): Promise<void>;
}

export async function openStockroom(): Promise<Stockroom> {
  const inventory = await runInventory();
  const order = orderMaker(inventory.url);
  const stock = (skuId: string, stocked: number): Promise<void> => putStock(inventory.url, skuId, stocked);
  async function placed(wanted: Wanted): Promise<TestOrder> {
    const made = order(wanted);
    expectDone(await made.creation.try());
    expectDone(await made.creation.confirm());
    return made;
  }
  return {
    inventory,
    order,
    stock,
    placed,
    async placedFrom(stocked, wanted) {
      for (const skuId of Object.keys(wanted)) await stock(skuId, stocked);
      return placed(wanted);
    },
    stockOf: async (skuId) => (await fetch(`${inventory.url}/stock/${skuId}`)).json(),
    ...databaseViews(inventory),
    close: () => inventory.close(),
  };
}

function orderMaker(url: string): Stockroom['order'] {
  let orders = 0;
  let attempts = 0;
  return (wanted, orderId = `o${String(++orders)}`, transaction = `${TEST_NAMESPACE}/create-${orderId}`) => {
    const linesOf = (lines: Wanted) =>
      Object.entries(lines).map(([skuId, quantity]) => ({ skuId, quantity, unitPriceCents: 100 }));
    const totalCents = linesOf(wanted).reduce((sum, { quantity }) => sum + quantity * 100, 0);
    const bought = { orderId, userId: 'u1', totalCents };
    return {
      orderId,
      creation: stepsOf(url, '/tcc/create-order', transaction, { ...bought, lines: linesOf(wanted) }),
      payment(lines = wanted) {
        const paymentId = `p${String(++attempts)}`;
        const payload = { ...bought, lines: linesOf(lines), paymentId, amountCents: totalCents };
        return stepsOf(url, '/tcc/pay-order', `${TEST_NAMESPACE}/pay-${paymentId}`, payload);
      },
      closing(lines = wanted) {
        const name = `close-${orderId}-${String(++attempts)}`;
        const payload = { orderId, lines: linesOf(lines), cause: 'unpaid' };
        return stepsOf(url, '/tcc/close-order', `${TEST_NAMESPACE}/${name}`, payload);
      },
    };
  };
}

function stepsOf(url: string, path: string, transaction: string, payload: unknown): Steps {
  async function call(operation: Operation): Promise<BranchAnswer> {
    const ask = () => callBranch({ url, path, branch: 'inventory', transaction, operation, payload });
    let answer = await ask();
    await until(`${transaction} hears something else than 503: ${answer.detail ?? ''}`, async () => {
      if (answer.status === 503) answer = await ask();
      return answer.status !== 503;
    });
    return answer;
  }
  return { transaction, try: () => call('try'), confirm: () => call('confirm'), cancel: () => call('cancel') };
}

function expectDone({ status, detail }: BranchAnswer): void {
  if (status !== 200) throw new Error(`an order could not be placed: ${String(status)} ${detail ?? ''}`);
}

async function putStock(url: string, skuId: string, stocked: number): Promise<void> {
  const answer = await fetch(`${url}/stock/${skuId}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ stocked }),
  });
  if (answer.status !== 200) throw new Error(`${skuId} could not be stocked: ${String(answer.status)}`);
}

type DatabaseViews = Pick<
  Stockroom,
  'reservationOf' | 'forget' | 'holding' | 'unlocked' | 'untilWaiting' | 'deadlocks'
>;

function databaseViews(inventory: RunningTestService): DatabaseViews {
  const { database } = inventory;
  return {
    async reservationOf(orderId) {
      const { rows } = await database.query<ReservationRow>(
        `select state, marked_by, ended_by,
           (select jsonb_object_agg(sku_id, quantity) from reservation_line where order_id = $1) as lines
         from reservation where order_id = $1`,
        [orderId],
      );
      return rows[0];
    },
    async forget(...branches) {
      const transactions = branches.map(({ transaction }) => transaction);
      await database.query('delete from ordertx_fence where transaction = any($1)', [transactions]);
    },
    async holding(skuId, work) {
      const client = await database.connect();
      try {
        await client.query('begin');
        await client.query('select from stock where sku_id = $1 for update', [skuId]);
        return await work();
      } finally {
        await client.query('rollback');
        client.release();
      }
    },
    async unlocked(...skuIds) {
      const { rows } = await database.query<{ readonly sku_id: string }>(
        'select sku_id from stock where sku_id = any($1) for update skip locked',
        [skuIds],
      );
      return rows.map(({ sku_id }) => sku_id);
    },
    untilWaiting: (connections) =>
      until(`${String(connections)} connections wait for a lock`, async () => {
        const { rowCount } = await database.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return rowCount === connections;
      }),
    async deadlocks() {
      await inventory.stop();
      const { rows } = await database.query<{ readonly deadlocks: number }>(
        'select deadlocks::integer from pg_stat_database where datname = current_database()',
      );
      return rows[0]?.deadlocks ?? NaN;
    },
  };
}
