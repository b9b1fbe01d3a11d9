/**
 * Participant calls as the controller makes them (section 2 of docs/reference/participant-protocol.md), and what may be
 * different about one.
 */
import { randomBytes } from 'node:crypto';
import {
  encodeDetail,
  formatTransaction,
  HEADERS,
  idempotencyKey,
  type Operation,
  type TransactionName,
} from '../../services/protocol/src/index.ts';
import type { Request } from './transport.ts';
import { asItIs, type Text } from './payload-texts.ts';

/** One branch of one transaction; every check begins its own. */
export interface Branch {
  readonly transaction: TransactionName;
  /** The participant's name in the flow. */
  readonly name: string;
  readonly payload: unknown;
}

/** What is not as the controller would have it. */
export interface Variation {
  /** In words, for the report: "without Ordertx-Transaction". */
  readonly words: string;
  readonly body?: Text;
  /** Instead of the usual ones; undefined takes a header away. */
  readonly headers?: (branch: Branch, operation: Operation) => Readonly<Record<string, string | undefined>>;
}

export interface Caller {
  readonly url: string;
  readonly token: string | undefined;
}

/** Not ASCII, so that percent-encoding matters on every confirm and cancel. */
const DETAIL = 'Prüfung der Regeln — 適合性検査';

export function requestOf(
  caller: Caller,
  branch: Branch,
  operation: Operation,
  attempt: number,
  variation: Variation = { words: '' },
): Request {
  const headers = { ...usualHeaders(caller, branch, operation, attempt), ...variation.headers?.(branch, operation) };
  const body = (variation.body ?? asItIs)(branch.payload);
  return {
    method: 'POST',
    url: `${caller.url}/${operation}`,
    headers: Object.fromEntries(
      Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    ...(body === undefined ? {} : { body }),
  };
}

function usualHeaders(
  { token }: Caller,
  branch: Branch,
  operation: Operation,
  attempt: number,
): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json',
    accept: 'application/json, application/problem+json',
    'user-agent': 'ordertx-conformance',
    [HEADERS.transaction]: formatTransaction(branch.transaction),
    [HEADERS.branch]: branch.name,
    [HEADERS.operation]: operation,
    [HEADERS.attempt]: String(attempt),
    [HEADERS.idempotencyKey]: idempotencyKey(branch.transaction, branch.name, operation),
    [HEADERS.traceparent]: `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(operation === 'try'
      ? {}
      : {
          [HEADERS.reason]: operation === 'confirm' ? 'AllTried' : 'CancelRequested',
          [HEADERS.detail]: encodeDetail(DETAIL),
        }),
  };
}

/** The headers of a call for another branch or transaction: everything that names it agrees. */
export function namedAs(transaction: TransactionName, branch: string, operation: Operation): Record<string, string> {
  return {
    [HEADERS.transaction]: formatTransaction(transaction),
    [HEADERS.branch]: branch,
    [HEADERS.idempotencyKey]: idempotencyKey(transaction, branch, operation),
  };
}
