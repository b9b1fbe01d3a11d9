/**
 * The one place that says what a participant's answer means.
 *
 * A total function of operation, status, headers and body: the answer table of docs/reference/participant-protocol.md
 * ("Answers"), row by row. An answer that never came is no-answer.ts's.
 *
 * 1. Only `Ordertx-State` makes a 2xx a success or a 409 a refusal. A proxy, a wrong address or a default backend
 *    answers 200 and 409 too; it does not know that header. Everything else is unknown and asked again.
 * 2. A detail is the same for the same answer: no ids, times or counters. Each new sentence would be a status write.
 * 3. A detail says what to do next, and completes "the <operation> at <participant> is not done: ...".
 * 4. Words from outside are bounded and without control characters before anybody else sees them.
 */
import { HEADERS } from '../../../services/protocol/src/headers.ts';
import { DONE_STATES, isFenceState, type FenceState } from '../../../services/protocol/src/operations.ts';
import { isProblemCode, type ProblemCode } from '../../../services/protocol/src/problems.ts';
import { WORKING_ON_IT, type Operation, type Outcome } from '../transaction/outcome.ts';
import type { HttpAnswer, HttpHeaders } from './exchange.ts';

/** What status.branches[].lastError holds. */
export const DETAIL_CHARS_MAX = 512;

/** The longest maxDelaySeconds a flow can have; the flow's own, which may be shorter, is the reconcile loop's to apply. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** @param nowMs milliseconds since the epoch, for a Retry-After that is a date */
export function classify(operation: Operation, answer: HttpAnswer, nowMs: number): Outcome {
  const { status, headers } = answer;
  if (status >= 200 && status <= 299) return classifySuccess(operation, answer);
  if (status === 409) return classifyRefusal(operation, answer);
  if (status === 425) {
    return { kind: 'ongoing', detail: WORKING_ON_IT, ...retryAfter(headers, nowMs) };
  }
  const detail = `answered ${describeStatus(status)}`;
  return status === 429 || status === 503
    ? { kind: 'unknown', detail, ...retryAfter(headers, nowMs) }
    : { kind: 'unknown', detail };
}

function classifySuccess(operation: Operation, { status, headers }: HttpAnswer): Outcome {
  const state = stateOf(headers);
  if (state.kind !== 'known') return withoutState(status, state.kind);
  if (DONE_STATES[operation].includes(state.value)) {
    return operation === 'try' && state.value === 'Confirmed'
      ? { kind: 'succeeded', confirmedBefore: true }
      : { kind: 'succeeded' };
  }
  return unknown(
    `answered ${status} with Ordertx-State ${state.value}, which does not end a ${operation}: compare its fence with the participant protocol`,
  );
}

function classifyRefusal(operation: Operation, { status, headers, body }: HttpAnswer): Outcome {
  const state = stateOf(headers);
  if (state.kind !== 'known') return withoutState(status, state.kind);
  const problem = parseProblem(body);
  return {
    kind: 'refused',
    code: problem.code ?? usualCode(operation, state.value),
    detail: problem.detail ?? `refused the ${operation} without saying why (its state is ${state.value})`,
  };
}

/** What the fence's table says for this cell, where the body does not. */
function usualCode(operation: Operation, state: FenceState): ProblemCode {
  if (operation === 'confirm' && state === 'None') return 'no-try';
  if (operation === 'confirm' && state === 'Cancelled') return 'already-cancelled';
  if (operation === 'cancel' && state === 'Confirmed') return 'already-confirmed';
  if (operation === 'try' && state === 'Cancelled') return 'cancelled';
  return 'refused';
}

type StateHeader = { readonly kind: 'known'; readonly value: FenceState } | { readonly kind: 'absent' | 'invalid' };

function stateOf(headers: HttpHeaders): StateHeader {
  const value = headers[HEADERS.state];
  if (value === undefined || value === '') return { kind: 'absent' };
  return typeof value === 'string' && isFenceState(value) ? { kind: 'known', value } : { kind: 'invalid' };
}

function withoutState(status: number, kind: 'absent' | 'invalid'): Outcome {
  return kind === 'absent'
    ? unknown(`answered ${status} without Ordertx-State: is the flow's endpoint and path this participant's?`)
    : unknown(
        `answered ${status} with an Ordertx-State that is not one of the protocol's: is its version the right one?`,
      );
}

function unknown(detail: string): Outcome {
  return { kind: 'unknown', detail };
}

function describeStatus(status: number): string {
  const advice = ADVICE[status];
  if (advice !== undefined) return `${status}: ${advice}`;
  if (status >= 300 && status <= 399) {
    return `${status}, a redirect, which is never followed: put the final address into the flow's endpoint`;
  }
  if (status >= 400 && status <= 499) return `${status}: a business no must be 409 with Ordertx-State; read its log`;
  if (status >= 500 && status <= 599) return `${status}: read its log`;
  return 'with a status outside 200 to 599: does it speak the participant protocol?';
}

const ADVICE: Readonly<Record<number, string>> = {
  401: 'it does not accept the token; compare its ORDERTX_AUDIENCE, ORDERTX_TOKEN_ISSUER, ORDERTX_CONTROLLER_SUBJECT and key set with the controller',
  403: 'it does not serve this namespace; name it in its ORDERTX_NAMESPACES if it should',
  404: "it does not know the path; is the flow's endpoint and path this participant's?",
  405: "it takes no POST there; is the flow's endpoint and path this participant's?",
  407: 'a proxy on the way asks for credentials; the controller calls participants directly',
  408: 'it gave up reading the request; is it overloaded?',
  413: 'the payload is too large for it; it must take 64 kB',
  421: "not this service's branch; is the flow's endpoint and path this participant's?",
  429: "too many requests; lower the participant's maxConcurrency in the flow, or give it more replicas",
  500: 'it has an error of its own; read its log',
  502: 'a proxy on the way cannot reach it; is it running?',
  503: 'it is not available; is it running and ready?',
  504: 'a proxy on the way waited for it in vain; is it running and ready?',
};

interface Problem {
  readonly code?: ProblemCode;
  readonly detail?: string;
}

/** RFC 9457, read leniently: what is missing or unreadable has a default, and a refusal stays one. */
function parseProblem(body: string | undefined): Problem {
  if (body === undefined) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return {};
  }
  if (typeof parsed !== 'object' || parsed === null) return {};
  const { code, detail } = parsed as { code?: unknown; detail?: unknown };
  return {
    code: typeof code === 'string' && isProblemCode(code) ? code : undefined,
    detail: typeof detail === 'string' ? cleanSentence(detail) : undefined,
  };
}

/** Control characters, line ends and direction marks: none may reach a terminal that shows a status. */
const UNSHOWABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu;

/** Undefined where nothing readable is left. */
function cleanSentence(text: string): string | undefined {
  const clean = text.toWellFormed().replace(UNSHOWABLE, ' ').replace(/ {2,}/g, ' ').trim();
  if (clean === '') return undefined;
  if (clean.length <= DETAIL_CHARS_MAX) return clean;
  return `${clean.slice(0, DETAIL_CHARS_MAX - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3). Not in the future: no wish, the back-off holds. */
function retryAfter(headers: HttpHeaders, nowMs: number): { readonly retryAfterMs?: number } {
  const value = headers[HEADERS.retryAfter];
  if (typeof value !== 'string') return {};
  const ms = /^\d{1,10}$/.test(value) ? Number(value) * 1000 : dateMs(value) - sentMs(headers, nowMs);
  return ms > 0 ? { retryAfterMs: Math.min(ms, RETRY_AFTER_MS_MAX) } : {};
}

/** A date is by the participant's clock: what it is from then on, its own Date says best. */
function sentMs(headers: HttpHeaders, nowMs: number): number {
  const { date } = headers;
  return (typeof date === 'string' ? dateMs(date) : NaN) || nowMs;
}

/** NaN for anything but the three forms of an HTTP date: Date.parse alone would take "-5" for a year. */
function dateMs(value: string): number {
  return /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value) ? Date.parse(value) : NaN;
}
