/**
 * Transactions that have ended, stored as services and a controller leave them, by nobody who carries them out.
 */
import type { OrderTransaction, OrderTransactionStatus } from '../../crds/generated/ordertransaction.ts';
import { pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import type { HttpTransport } from '../../controller/src/kubernetes/transport.ts';
import { say } from '../../local/progress.ts';
import { CREATE_ORDER, decided, ended, manifest } from '../bench/cel-cost-transactions.ts';
import { expectOk } from '../world/api-client.ts';

const GROUP = 'ordertx.dev';
const TOLD_EVERY = 5_000;
const LANES = 32;

interface Wanted {
  readonly transport: HttpTransport;
  readonly namespace: string;
  readonly count: number;
  /** `status.expires` of the one with this number, counted from 1. */
  readonly expires: (number: number) => string;
  readonly signal: AbortSignal;
}

/** Resolves once all are stored, 32 at a time; or, once the signal aborts, with those that were begun. */
export async function storeEnded({ transport, namespace, count, expires, signal }: Wanted): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count && !signal.aborted) {
      next += 1;
      if (next % TOLD_EVERY === 0) say(`${String(next)} are stored`);
      await storeOne(transport, namespace, next, expires(next));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Its creation, its decision, which must be stored on its own, and its end. */
async function storeOne(transport: HttpTransport, namespace: string, number: number, expires: string): Promise<void> {
  const path = pathOf(TRANSACTIONS, namespace);
  const body = manifest(GROUP, CREATE_ORDER, number);
  let stored = await expectOk<OrderTransaction>(transport, { method: 'POST', path, body });
  const put = async (status: OrderTransactionStatus): Promise<void> => {
    const request = {
      method: 'PUT',
      path: `${path}/${body.metadata.name}/status`,
      body: { ...stored, status },
    } as const;
    stored = await expectOk<OrderTransaction>(transport, request);
  };
  const decision = decided(CREATE_ORDER);
  await put(decision);
  await put({ ...ended(decision), expires });
}
