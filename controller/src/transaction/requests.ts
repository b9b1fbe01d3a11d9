/**
 * What people ask of a running transaction: suspend, resume, retry now. (cancelRequested is try-all's, resolutions are carry-out's.)
 */
import { clip, conditionIsTrue, findCondition, withCondition } from './conditions.ts';
import { branchesOf, messagesOf } from './phase.ts';
import { act, store, type Step, type View } from './step.ts';
import { inItsPhase } from './notice.ts';

export const RETRY_ANNOTATION = 'ordertx.dev/retry-requested-at';

/** As lastHandledRetryAt is bounded in the schema; the token is compared in this form. */
const RETRY_TOKEN_CHARS_MAX = 128;

/** Sends nothing and decides nothing; says Suspended=True at this generation once every call under way has ended. */
export function acknowledgeSuspend(view: View, nowMs: number): Step {
  if (view.busy.size > 0) return act([], [], []);
  const stored = findCondition(view.transaction.status, 'Suspended');
  const { generation } = view.transaction.metadata;
  if (stored?.status === 'True' && stored.observedGeneration === generation) return act([], [], []);
  const status = withCondition(
    view.status,
    {
      type: 'Suspended',
      status: 'True',
      reason: 'Requested',
      message: 'nothing is sent and nothing is decided until spec.suspend is false again',
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    },
    nowMs,
  );
  return store('news', view, inItsPhase(view, status));
}

export function acknowledgeResume(view: View, nowMs: number): View {
  if (!conditionIsTrue(view.status, 'Suspended')) return view;
  const status = withCondition(
    view.status,
    { type: 'Suspended', status: 'False', reason: 'Resumed', message: '' },
    nowMs,
  );
  return { ...view, status };
}

/** A new token makes everything due now; it is stored with the next news, which it is itself. */
export function takeRetryRequest(view: View): View {
  const annotation = view.transaction.metadata.annotations?.[RETRY_ANNOTATION];
  if (annotation === undefined) return view;
  const token = clip(annotation, RETRY_TOKEN_CHARS_MAX);
  if (token === view.transaction.status?.lastHandledRetryAt) return view;
  const status = {
    ...view.status,
    lastHandledRetryAt: token,
    branches: branchesOf(view.status).map(dueNow),
    ...(view.status.messages ? { messages: messagesOf(view.status).map(dueNow) } : {}),
  };
  return { ...view, status };
}

function dueNow<Target extends { readonly nextAttemptTime?: string }>(target: Target): Target {
  const { nextAttemptTime: _, ...rest } = target;
  return rest as Target;
}
