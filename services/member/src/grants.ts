/**
 * Grants in the database: one row per paid order, and a member's balance is their sum.
 */
import type { Pool, PoolClient } from 'pg';
import { sqlFile } from '../../kit/src/index.ts';
import type { Reward } from './reward.ts';

const INSERT_GRANT = { name: 'insert-grant', text: sqlFile(import.meta.url, '../sql/insert-grant.sql') };
const GET_GRANTED_PAYMENT = {
  name: 'get-granted-payment',
  text: sqlFile(import.meta.url, '../sql/get-granted-payment.sql'),
};
const SUM_GRANTS = { name: 'sum-grants', text: sqlFile(import.meta.url, '../sql/sum-grants.sql') };

export interface Grant extends Reward {
  readonly orderId: string;
  readonly paymentId: string;
  readonly userId: string;
}

/** Grants it unless the order has been granted its points before; gives the payment they were granted for, now or then. */
export async function grantOnce(client: PoolClient, grant: Grant): Promise<string> {
  const { orderId, paymentId, userId, points, growth } = grant;
  const { rowCount } = await client.query({ ...INSERT_GRANT, values: [orderId, paymentId, userId, points, growth] });
  if (rowCount === 1) return paymentId;
  const { rows } = await client.query<{ readonly payment_id: string }>({ ...GET_GRANTED_PAYMENT, values: [orderId] });
  const [earlier] = rows;
  if (earlier === undefined) throw new Error(`order ${orderId} could neither be granted points nor be found granted`);
  return earlier.payment_id;
}

/** Zeros for a user who never paid. */
export async function sumGrants(pool: Pool, userId: string): Promise<Reward> {
  const { rows } = await pool.query<Reward>({ ...SUM_GRANTS, values: [userId] });
  const [{ points, growth } = { points: 0, growth: 0 }] = rows;
  return { points, growth };
}
