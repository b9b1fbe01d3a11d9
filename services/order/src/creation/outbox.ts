/**
 * The creation outbox's rows, as the relay works with them.
 *
 * A row lives from the moment a transaction is wanted (an order accepted, a payment heard of, a close begun) until this service's
 * own branch of it has ended: confirm and cancel take it out in their own database transaction, and it is kept as an ended one
 * (ended.ts). Taking a row therefore also is the look at whether its creation is still wanted.
 */
import type { Pool } from 'pg';
import { sqlFile } from '../../../kit/src/index.ts';
import type { Creation } from './creation.ts';
import { FIRST_REPEAT_SECONDS, GIVEN_UP_AFTER_SECONDS, REPEAT_SECONDS_MAX } from './schedule.ts';

const CLAIM_CREATIONS = sqlFile(import.meta.url, '../../sql/claim-creations.sql');
const POSTPONE_CREATION = sqlFile(import.meta.url, '../../sql/postpone-creation.sql');
const CLEAR_CREATION_FAILURES = sqlFile(import.meta.url, '../../sql/clear-creation-failures.sql');
const COUNT_CREATIONS = sqlFile(import.meta.url, '../../sql/count-creations.sql');

export interface Claimed {
  readonly creation: Creation;
  /** In a row, before this attempt. */
  readonly failures: number;
  /** Too old to be sent: given out this once, to be made known. */
  readonly expired: boolean;
}

export interface Postponement {
  readonly seconds: number;
  readonly refused: boolean;
  readonly error: string;
}

export interface OutboxCounts {
  readonly waiting: number;
  readonly refused: number;
  readonly givenUp: number;
  readonly oldestSeconds: number;
}

export interface CreationOutbox {
  claim(rowsMax: number): Promise<readonly Claimed[]>;
  postpone(transaction: string, postponement: Postponement): Promise<void>;
  clearFailures(transaction: string): Promise<void>;
  count(): Promise<OutboxCounts>;
}

export function creationOutbox(pool: Pool): CreationOutbox {
  return {
    async claim(rowsMax) {
      const { rows } = await pool.query<ClaimedRow>({
        name: 'claim-creations',
        text: CLAIM_CREATIONS,
        values: [rowsMax, FIRST_REPEAT_SECONDS, REPEAT_SECONDS_MAX, GIVEN_UP_AFTER_SECONDS],
      });
      return rows.map(claimedOf);
    },
    async postpone(transaction, { seconds, refused, error }) {
      await pool.query({
        name: 'postpone-creation',
        text: POSTPONE_CREATION,
        values: [transaction, seconds, refused, error],
      });
    },
    async clearFailures(transaction) {
      await pool.query({ name: 'clear-creation-failures', text: CLEAR_CREATION_FAILURES, values: [transaction] });
    },
    async count() {
      const { rows } = await pool.query<CountRow>({ name: 'count-creations', text: COUNT_CREATIONS });
      const { waiting = 0, refused = 0, given_up: givenUp = 0, oldest_seconds: oldestSeconds = 0 } = rows[0] ?? {};
      return { waiting, refused, givenUp, oldestSeconds };
    },
  };
}

type ClaimedRow = Creation & Omit<Claimed, 'creation'>;

interface CountRow {
  readonly waiting: number;
  readonly refused: number;
  readonly given_up: number;
  readonly oldest_seconds: number;
}

function claimedOf({ failures, expired, ...creation }: ClaimedRow): Claimed {
  return { creation, failures, expired };
}
