/**
 * The usual case of a cell: the fence's row and the business change in one statement.
 *
 * Only where both are what they almost always are: no row yet and a try that is not refused, or a row that was tried and its confirm. A
 * confirm's payload has the digest of what was tried, so it is what was tried.
 */
import type { Pool } from 'pg';
import { formatTransaction } from '../../../protocol/src/index.ts';
import { validate } from '../http/validate.ts';
import type { UsualCase } from '../postgres/joined-statement.ts';
import { sqlFile } from '../postgres/sql.ts';
import type { FenceAnswer } from './answer.ts';
import type { AnyBranch } from './branch.ts';
import type { FenceCall } from './fence-call.ts';

const TRY = { name: 'usual-try', text: sqlFile(import.meta.url, './sql/claim-usual-try.sql') };
const CONFIRM = { name: 'usual-confirm', text: sqlFile(import.meta.url, './sql/claim-usual-confirm.sql') };

/** What the caller hears where the call was the usual case and is done; undefined where it was not: then nothing was changed. */
export async function passUsually(pool: Pool, branch: AnyBranch, call: FenceCall): Promise<FenceAnswer | undefined> {
  if (call.operation === 'cancel' || branch.usual?.[call.operation] === undefined) return undefined;
  const id = [formatTransaction(call.transaction), branch.branch, branch.path];
  const { digest, text } = call.canonical;
  const claim =
    call.operation === 'try' ? { ...TRY, values: [...id, digest, text] } : { ...CONFIRM, values: [...id, digest] };
  if (!(await caseOf(branch, call)?.run(pool, claim))) return undefined;
  return { kind: 'done', state: call.operation === 'try' ? 'Tried' : 'Confirmed', body: null, replayed: false };
}

function caseOf(branch: AnyBranch, call: Exclude<FenceCall, { operation: 'cancel' }>): UsualCase | undefined {
  const { transaction, attempt } = call;
  if (call.operation === 'try' && call.inexact !== undefined) return undefined;
  const checked = validate(branch.payload, call.body);
  if (checked.kind === 'invalid') return undefined;
  const payload = checked.value;
  if (call.operation === 'try') return branch.usual?.try?.({ transaction, attempt, payload });
  const { reason, detail } = call;
  return branch.usual?.confirm?.({ transaction, attempt, reason, detail, payload });
}
