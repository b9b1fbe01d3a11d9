/**
 * Grants in the database: one row per paid order, and a member's balance is their sum.
 */
import type { Pool, PoolClient } from 'pg';
import { joinedStatement, runAlone, sqlFile, usualCase, type UsualCase } from '../../kit/src/index.ts';
import type { Reward } from './reward.ts';

const INSERT_GRANT = joinedStatement(
  'insert-grant',
  sqlFile(import.meta.url, '../sql/insert-grant.sql'),
  sqlFile(import.meta.url, '../sql/likely-granted.sql'),
);
const GET_GRANTED_PAYMENT = {
  name: 'get-granted-payment',
  text: sqlFile(import.meta.url, '../sql/get-granted-payment.sql'),
};
const SUM_GRANTS = { name: 'sum-grants', text: sqlFile(import.meta.url, '../sql/sum-grants.sql') };

export interface Grant extends Reward {
  readonly orderId: string;
  readonly paymentId: string;
  readonly userId: string;
  /** Of the transaction that tells of it. */
  readonly namespace: string | undefined;
}

export interface Granted {
  readonly paymentId: string;
  /** Null where it was not kept yet. */
  readonly namespace: string | null;
}

function granting({ orderId, paymentId, userId, points, growth, namespace }: Grant): readonly unknown[] {
  return [orderId, paymentId, userId, points, growth, namespace];
}

export function grantUsually(grant: Grant): UsualCase {
  return usualCase(INSERT_GRANT, granting(grant));
}

/** Grants it unless the order has been granted its points before; gives what they were granted for, now or then. */
export async function grantOnce(client: PoolClient, grant: Grant): Promise<Granted> {
  const { orderId, paymentId, namespace = null } = grant;
  if ((await runAlone(client, INSERT_GRANT, granting(grant))).done) return { paymentId, namespace };
  const { rows } = await client.query<{ readonly payment_id: string; readonly namespace: string | null }>({
    ...GET_GRANTED_PAYMENT,
    values: [orderId],
  });
  const [earlier] = rows;
  if (earlier === undefined) throw new Error(`order ${orderId} could neither be granted points nor be found granted`);
  return { paymentId: earlier.payment_id, namespace: earlier.namespace };
}

/** Zeros for a user who never paid. */
export async function sumGrants(pool: Pool, userId: string): Promise<Reward> {
  const { rows } = await pool.query<Reward>({ ...SUM_GRANTS, values: [userId] });
  const [{ points, growth } = { points: 0, growth: 0 }] = rows;
  return { points, growth };
}
