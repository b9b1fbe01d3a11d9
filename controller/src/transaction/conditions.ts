/**
 * The four conditions of a transaction: Succeeded, Finished, Stuck, Suspended. Setting one keeps its transition time
 * while its status stays the same, as Kubernetes' tools expect.
 */
import type { Condition, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import { conditionFrom } from './carried.ts';

export type ConditionType = 'Succeeded' | 'Finished' | 'Stuck' | 'Suspended';

/** Why a transaction is Stuck; written for alerts and `kubectl describe`. */
export type StuckReason =
  | 'TakingTooLong'
  | 'ConfirmRefused'
  | 'CancelRefused'
  | 'ConfirmedBefore'
  | 'MessageRefused'
  | 'FlowNotFound'
  | 'EndpointForbidden'
  | 'PayloadTooLarge';

export interface ConditionChange {
  readonly type: ConditionType;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

export function findCondition(status: OrderTransactionStatus | undefined, type: ConditionType): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

export function conditionIsTrue(status: OrderTransactionStatus | undefined, type: ConditionType): boolean {
  return findCondition(status, type)?.status === 'True';
}

export function withCondition(
  status: OrderTransactionStatus,
  change: ConditionChange,
  nowMs: number,
): OrderTransactionStatus {
  const before = findCondition(status, change.type);
  const condition = conditionFrom(before, {
    ...change,
    message: clip(change.message, CONDITION_MESSAGE_CHARS_MAX),
    lastTransitionTime: before?.status === change.status ? before.lastTransitionTime : new Date(nowMs).toISOString(),
  });
  const conditions = status.conditions ?? [];
  return {
    ...status,
    conditions: before
      ? conditions.map((other) => (other.type === change.type ? condition : other))
      : [...conditions, condition],
  };
}

/** As the schema bounds them: a longer text would make the API server refuse the whole status. */
export const CONDITION_MESSAGE_CHARS_MAX = 1024;
export const LAST_ERROR_CHARS_MAX = 512;

/** Cuts at a whole character, counted as the API server counts (code points). */
export function clip(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  return [...text].slice(0, charsMax - 1).join('') + '…';
}
