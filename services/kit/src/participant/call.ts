/**
 * Reads the headers of a participant call.
 *
 * What identifies the call must be there and right: a call under a wrong name would be fenced as another one. What only informs
 * (reason, detail) may be missing, because a cancel must get through; what is there must be well-formed.
 */
import {
  decodeDetail,
  HEADERS,
  idempotencyKey,
  parseTransaction,
  type Operation,
  type TransactionName,
} from '../../../protocol/src/index.ts';
import { problem } from '../http/problem.ts';
import type { Reply } from '../http/reply.ts';
import type { AnyBranch } from './branch.ts';

export interface CallHeaders {
  readonly transaction: TransactionName;
  readonly attempt: number;
  readonly reason: string;
  readonly detail: string;
}
export type CallRead =
  { readonly kind: 'call'; readonly headers: CallHeaders } | { readonly kind: 'not-ours'; readonly reply: Reply };

type Header = (name: string) => string | undefined;

const ATTEMPT = /^[1-9]\d{0,9}$/;
const REASON = /^[A-Za-z][A-Za-z0-9]{0,63}$/;

export function readCall(
  header: Header,
  operation: Operation,
  branch: AnyBranch,
  namespaces: readonly string[],
): CallRead {
  const transaction = parseTransaction(header(HEADERS.transaction) ?? '');
  if (transaction === undefined)
    return bad(header, HEADERS.transaction, 'must be <namespace>/<name> of the transaction');
  const branchName = header(HEADERS.branch);
  if (branchName === undefined || branchName === '')
    return bad(header, HEADERS.branch, "must be the participant's name");
  if (branchName !== branch.branch)
    return notOurs(421, `This service is branch ${branch.branch}, not the one that was called.`);
  if (header(HEADERS.operation) !== operation)
    return bad(header, HEADERS.operation, `must be ${operation}, as the path says`);
  const attempt = header(HEADERS.attempt) ?? '';
  if (!ATTEMPT.test(attempt)) return bad(header, HEADERS.attempt, 'must be a whole number, counted from 1');
  const expectedKey = idempotencyKey(transaction, branch.branch, operation);
  if (header(HEADERS.idempotencyKey) !== expectedKey) {
    return bad(header, HEADERS.idempotencyKey, 'must be <namespace>/<name>/<branch>/<operation>');
  }
  const reason = header(HEADERS.reason) ?? '';
  if (reason !== '' && !REASON.test(reason)) return bad(header, HEADERS.reason, 'must be one word, the decisionReason');
  const detail = decodeDetail(header(HEADERS.detail) ?? '');
  if (detail === undefined)
    return bad(header, HEADERS.detail, 'must be percent-encoded UTF-8 of at most 512 characters');
  if (!namespaces.includes(transaction.namespace)) {
    return notOurs(403, `This service takes no part in transactions of namespace ${transaction.namespace}.`);
  }
  return { kind: 'call', headers: { transaction, attempt: Number(attempt), reason, detail } };
}

function bad(header: Header, name: string, message: string): CallRead {
  const missing = header(name) === undefined ? 'is missing; it ' : '';
  return notOurs(400, `${name}: ${missing}${message}`);
}

function notOurs(status: number, detail: string): CallRead {
  return { kind: 'not-ours', reply: problem(status, { detail }) };
}
