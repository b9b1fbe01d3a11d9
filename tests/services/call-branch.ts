/**
 * A participant call as the controller makes it, for tests of one service without a controller.
 */
import {
  encodeDetail,
  HEADERS,
  idempotencyKey,
  parseTransaction,
  type Operation,
} from '../../services/protocol/src/index.ts';

export interface BranchCall {
  /** The service's origin. */
  readonly url: string;
  readonly path: string;
  readonly branch: string;
  /** `<namespace>/<name>`. */
  readonly transaction: string;
  readonly operation: Operation;
  readonly payload: unknown;
  readonly reason?: string;
  readonly detail?: string;
}

export interface BranchAnswer {
  readonly status: number;
  /** The Ordertx-State header. */
  readonly state: string | null;
  readonly code: string | undefined;
  readonly detail: string | undefined;
}

export async function callBranch(call: BranchCall): Promise<BranchAnswer> {
  const { url, path, branch, transaction, operation, payload, reason, detail } = call;
  const name = parseTransaction(transaction);
  if (name === undefined) throw new Error(`${transaction} is not <namespace>/<name>`);
  const answer = await fetch(`${url}${path}/${operation}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      [HEADERS.transaction]: transaction,
      [HEADERS.branch]: branch,
      [HEADERS.operation]: operation,
      [HEADERS.attempt]: '1',
      [HEADERS.idempotencyKey]: idempotencyKey(name, branch, operation),
      ...(reason !== undefined && { [HEADERS.reason]: reason }),
      ...(detail !== undefined && { [HEADERS.detail]: encodeDetail(detail) }),
    },
    body: JSON.stringify(payload),
  });
  const body = (await answer.json().catch(() => ({}))) as { readonly code?: string; readonly detail?: string };
  return { status: answer.status, state: answer.headers.get(HEADERS.state), code: body.code, detail: body.detail };
}
