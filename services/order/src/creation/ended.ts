/**
 * Ended creations, as they are chosen to be made again and worked off.
 *
 * A row comes when this service's branch of its transaction has ended (end-creation.sql) and goes after ORDER_CREATIONS_KEPT_DAYS.
 * Nothing looks at it in between unless somebody asks: then it is due, until the API server says that the transaction is there.
 */
import type { ClientBase, Pool } from 'pg';
import { sqlFile } from '../../../kit/src/index.ts';
import type { Creation } from './creation.ts';

const CHOOSE = sqlFile(import.meta.url, '../../sql/choose-ended-creations.sql');
const MAKE_AGAIN = sqlFile(import.meta.url, '../../sql/make-creations-again.sql');
const CLAIM = sqlFile(import.meta.url, '../../sql/claim-ended-creations.sql');
const SETTLE = sqlFile(import.meta.url, '../../sql/settle-ended-creation.sql');
const POSTPONE = sqlFile(import.meta.url, '../../sql/postpone-ended-creation.sql');
const COUNT = sqlFile(import.meta.url, '../../sql/count-due-again.sql');
export const CLEAN_ENDED_CREATIONS = sqlFile(import.meta.url, '../../sql/clean-ended-creations.sql');

/** A create takes seconds at most; longer, and what a killed replica had taken would hold up a restore. */
const CLAIMED_FOR_SECONDS = 60;

/** Which ended creations; what is undefined does not matter. */
export interface Choice {
  /** That ended then or later. */
  readonly since: Date | undefined;
  readonly flow: string | undefined;
  readonly orderIds: readonly string[] | undefined;
}

export interface ChosenCount {
  readonly flow: string;
  readonly chosen: number;
  /** Of the same choice, due already. */
  readonly already: number;
}

export interface DueAgain {
  readonly creation: Creation;
  /** In a row, before this attempt. */
  readonly failures: number;
}

export interface DueCounts {
  readonly due: number;
  readonly failing: number;
}

function valuesOf({ since, flow, orderIds }: Choice): readonly unknown[] {
  return [since ?? null, flow ?? null, orderIds ?? null];
}

export async function countChosen(
  client: Pick<ClientBase | Pool, 'query'>,
  choice: Choice,
): Promise<readonly ChosenCount[]> {
  return (await client.query<ChosenCount>(CHOOSE, [...valuesOf(choice)])).rows;
}

/** Resolves with how many were made due; the running service works them off. */
export async function makeDueAgain(
  client: Pick<ClientBase | Pool, 'query'>,
  choice: Choice,
  perSecond: number,
): Promise<number> {
  return (await client.query(MAKE_AGAIN, [...valuesOf(choice), perSecond])).rowCount ?? 0;
}

export interface EndedCreations {
  claim(rowsMax: number): Promise<readonly DueAgain[]>;
  settle(transaction: string): Promise<void>;
  postpone(transaction: string, postponement: { readonly seconds: number; readonly error: string }): Promise<void>;
  count(): Promise<DueCounts>;
}

export function endedCreations(pool: Pool): EndedCreations {
  return {
    async claim(rowsMax) {
      const { rows } = await pool.query<Creation & { readonly failures: number }>({
        name: 'claim-ended-creations',
        text: CLAIM,
        values: [rowsMax, CLAIMED_FOR_SECONDS],
      });
      return rows.map(({ failures, ...creation }) => ({ creation, failures }));
    },
    async settle(transaction) {
      await pool.query(SETTLE, [transaction]);
    },
    async postpone(transaction, { seconds, error }) {
      await pool.query(POSTPONE, [transaction, seconds, error]);
    },
    async count() {
      const { rows } = await pool.query<DueCounts>(COUNT);
      return rows[0] ?? { due: 0, failing: 0 };
    },
  };
}
