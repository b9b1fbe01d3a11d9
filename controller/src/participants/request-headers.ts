/**
 * The headers of one call (docs/reference/participant-protocol.md, "The request").
 *
 * A flat list of names and values, because that is what undici writes out without building anything else from it.
 */
import { encodeDetail } from '../../../services/protocol/src/detail.ts';
import { formatTransaction, HEADERS, idempotencyKey } from '../../../services/protocol/src/headers.ts';
import type { BranchCall } from '../reconcile/ports.ts';

/** @param token absent where the controller runs with ORDERTX_AUTH=off */
export function requestHeaders(call: BranchCall, traceparent: string, token: string | undefined): string[] {
  const { transaction, participant, operation, attempt, reason, detail } = call;
  const name = { namespace: transaction.metadata.namespace ?? '', name: transaction.metadata.name };
  const headers = [
    'content-type',
    'application/json',
    'accept',
    'application/json, application/problem+json',
    'user-agent',
    'ordertx-controller',
    HEADERS.transaction,
    formatTransaction(name),
    HEADERS.branch,
    participant.name,
    HEADERS.operation,
    operation,
    HEADERS.attempt,
    String(attempt),
    HEADERS.idempotencyKey,
    idempotencyKey(name, participant.name, operation),
    HEADERS.traceparent,
    traceparent,
  ];
  if (token !== undefined) headers.push('authorization', `Bearer ${token}`);
  // A try comes before the decision: it has neither, whatever the caller passes.
  if (operation !== 'try') {
    if (reason !== undefined) headers.push(HEADERS.reason, reason);
    if (detail !== undefined) headers.push(HEADERS.detail, encodeDetail(detail));
  }
  return headers;
}
