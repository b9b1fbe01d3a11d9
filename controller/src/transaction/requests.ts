/**
 * What people ask of a running transaction: suspend, resume, retry now. (cancelRequested is try-all's, resolutions are carry-out's.)
 */
import { conditionIsTrue, findCondition, withCondition } from './conditions.ts';
import { branchesOf, isAboutSuspension, messagesOf } from './phase.ts';
import { fnv1a } from './fnv1a.ts';
import { inItsPhase } from './notice.ts';
import { describe, suspendedSentence } from './sentences.ts';
import { act, store, type Step, type View } from './step.ts';

export const RETRY_ANNOTATION = 'ordertx.dev/retry-requested-at';

/** As lastHandledRetryAt is bounded in the schema. */
const RETRY_TOKEN_CHARS_MAX = 128;
/**
 * Between two requests that are acted on, and between two changes of the flow that are for one branch. Shorter, and a script that annotates in a loop would take the place of the
 * back-off; longer, and a person who mended something right after a request in vain would wait for the next.
 */
export const RETRY_REQUEST_PAUSE_MS = 5_000;

/** Sends nothing and decides nothing; says Suspended=True at this generation once every call under way has ended. */
export function acknowledgeSuspend(view: View, nowMs: number): Step {
  if (view.busy.size > 0) return act([], [], []);
  const stored = findCondition(view.transaction.status, 'Suspended');
  const { generation } = view.transaction.metadata;
  if (stored?.status === 'True' && stored.observedGeneration === generation) return act([], [], []);
  const message = suspendedSentence(view.status);
  const status = withCondition(
    { ...view.status, message },
    {
      type: 'Suspended',
      status: 'True',
      reason: 'Requested',
      message,
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
  return { ...view, status: isAboutSuspension(status.message) ? { ...status, ...describe(status) } : status };
}

/**
 * A new token makes everything due now, once; it is stored with the next news, which it is itself. One that comes too soon
 * after another is acted on when the pause is over, if it still stands then.
 */
export function takeRetryRequest(view: View, nowMs: number): View {
  const token = newRetryToken(view);
  if (token === undefined || pauseEndsMs(view.retriedAtMs, nowMs) !== undefined) return view;
  const status = {
    ...view.status,
    lastHandledRetryAt: token,
    branches: branchesOf(view.status).map(dueNow),
    // Best effort has few attempts and holds nothing up: its last one keeps its time.
    ...(view.status.messages && {
      messages: messagesOf(view.status).map((each) => (each.delivery === 'Reliable' ? dueNow(each) : each)),
    }),
  };
  return { ...view, status };
}

/** Comes again for a token that had to wait. */
export function wakeForRetryRequest(view: View, step: Step, nowMs: number): Step {
  if (step.kind !== 'act' || newRetryToken(view) === undefined) return step;
  const endsMs = pauseEndsMs(view.retriedAtMs, nowMs);
  if (endsMs === undefined) return step;
  return { ...step, wakeAtMs: Math.min(step.wakeAtMs ?? Infinity, endsMs) };
}

function newRetryToken(view: View): string | undefined {
  const annotation = view.transaction.metadata.annotations?.[RETRY_ANNOTATION];
  if (annotation === undefined) return undefined;
  const token = storedRetryToken(annotation);
  return token === view.transaction.status?.lastHandledRetryAt ? undefined : token;
}

/** When what people change is acted on again, since it was acted on last; undefined where it is at once. */
export function pauseEndsMs(actedOnMs: number | undefined, nowMs: number): number | undefined {
  // Later than now: the clock was set back, and nobody knows how long it is ago.
  if (actedOnMs === undefined || nowMs < actedOnMs) return undefined;
  const endsMs = actedOnMs + RETRY_REQUEST_PAUSE_MS;
  return nowMs < endsMs ? endsMs : undefined;
}

/** When a target is due because of what people have changed, whatever its back-off says; Infinity where nothing has changed. */
export function dueByChangeMs(changed: ReadonlyMap<string, number | undefined>, target: string, nowMs: number): number {
  return changed.has(target) ? (pauseEndsMs(changed.get(target), nowMs) ?? nowMs) : Infinity;
}

/**
 * The form in which a token is stored and compared: itself, whatever it is (an empty one too), or where it is longer than
 * the schema allows its beginning and a digest of all of it, so that two long ones that begin alike are still two.
 */
export function storedRetryToken(annotation: string): string {
  const chars = [...annotation];
  if (chars.length <= RETRY_TOKEN_CHARS_MAX) return annotation;
  const end = `…${fnv1a(annotation).toString(16).padStart(8, '0')}`;
  return chars.slice(0, RETRY_TOKEN_CHARS_MAX - end.length).join('') + end;
}

/** Without the time before which it is not tried again by itself. */
export function dueNow<Target extends { readonly nextAttemptTime?: string }>(target: Target): Target {
  const { nextAttemptTime: _, ...rest } = target;
  return rest as Target;
}
