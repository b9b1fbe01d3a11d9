/**
 * What an answer has to be: one function for each row of the contract's answer table. Pure.
 *
 * An expectation is handed an answer and gives a fault or nothing. A fault says what came and what to do about it; what was
 * expected is the expectation's own words.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  HEADERS,
  isFenceState,
  PROBLEM_MEDIA_TYPE,
  type FenceState,
  type ProblemCode,
} from '../../services/protocol/src/index.ts';
import type { Answer, Answered } from './transport.ts';

export interface Fault {
  readonly came: string;
  readonly todo: string;
}

export interface Expectation {
  /** Completes "expected". */
  readonly words: string;
  faultOf(answer: Answer): Fault | undefined;
}

/** 2xx with this stored state. `todo` is what to do where the fence stored or answered something else. */
export function done(state: FenceState, todo: string): Expectation {
  return expectation(`2xx with Ordertx-State ${state}`, (answer) => {
    if (answer.status < 200 || answer.status > 299) return usualAdvice(answer) ?? todo;
    return stateAdvice(answer, [state]) ?? (stateOf(answer) === state ? undefined : todo);
  });
}

/** 409 with this stored state, and a problem document with one of these codes and a detail. */
export function refusal(codes: readonly ProblemCode[], state: FenceState, todo: string): Expectation {
  const words = `409 with Ordertx-State ${state} and ${PROBLEM_MEDIA_TYPE} with code ${codes.join(' or ')} and a detail`;
  return expectation(words, (answer) => {
    if (answer.status !== 409) return usualAdvice(answer) ?? todo;
    return (
      stateAdvice(answer, [state]) ??
      (stateOf(answer) === state ? undefined : todo) ??
      documentAdvice(answer) ??
      (codes.some((code) => code === problemOf(answer)?.code)
        ? undefined
        : `set code to ${codes.join(' or ')}: ${todo}`)
    );
  });
}

/** The same answer as before: replays tell the same story, to the controller and to people. */
export function replayOf(first: Answered): Expectation {
  if (first.status === 409) {
    const { code, detail } = problemOf(first) ?? {};
    return expectation(`the same code and detail again: ${String(code)}, "${String(detail)}"`, (answer) => {
      const now = problemOf(answer);
      if (now?.code === code && now?.detail === detail) return undefined;
      return 'keep the refusal in the fence’s row and repeat its words: no times, ids or counters that change';
    });
  }
  return expectation(`the same body again: ${cut(first.text)}`, (answer) =>
    answer.text === first.text || isDeepStrictEqual(jsonOf(answer), jsonOf(first))
      ? undefined
      : 'store the answer of the try in the fence’s row and replay it; do not work it out anew',
  );
}

/** Whatever makes the controller ask again: the call is not this branch's, or cannot be read. */
export function untaken(usual: string, todo: string): Expectation {
  return expectation(`${usual}: never 2xx, nor 409 with Ordertx-State`, (answer) => {
    if (isRedirect(answer)) return REDIRECT;
    if (answer.status >= 200 && answer.status <= 299) return todo;
    return answer.status === 409 ? `${todo}; a 409 would end the transaction for good` : undefined;
  });
}

/** Turned away for what was sent, and not as a business no. */
export function clientError(todo: string): Expectation {
  return expectation('4xx, but not 409', ({ status }) =>
    status >= 400 && status <= 499 && status !== 409 ? undefined : todo,
  );
}

export function status(expected: number, todo: string): Expectation {
  return expectation(String(expected), (answer) => (answer.status === expected ? undefined : todo));
}

/** The same expectation where the advice is about what came before this call. */
export function advising(todo: string, expected: Expectation): Expectation {
  return {
    words: expected.words,
    faultOf: (answer) => {
      const fault = expected.faultOf(answer);
      return fault === undefined ? undefined : { ...fault, todo };
    },
  };
}

function expectation(words: string, adviceOn: (answer: Answered) => string | undefined): Expectation {
  return {
    words,
    faultOf: (answer) => {
      if (answer.kind === 'none') return { came: describe(answer), todo: NO_ANSWER[answer.why] };
      const todo = adviceOn(answer);
      return todo === undefined ? undefined : { came: describe(answer), todo };
    },
  };
}

/** For the report: status, state and the beginning of the body. */
export function describe(answer: Answer): string {
  if (answer.kind === 'none') return `no answer: ${answer.detail}`;
  const { headers, text } = answer;
  const state = headers[HEADERS.state];
  const parts = [
    String(answer.status),
    state === undefined ? 'no Ordertx-State' : `Ordertx-State ${cut(String(state))}`,
    headers['content-type'] ?? 'no content-type',
    ...(isRedirect(answer) ? [`to ${String(headers.location)}`] : []),
  ];
  return `${parts.join(', ')}: ${text === '' ? 'no body' : cut(text)}`;
}

function stateOf({ headers }: Answered): string | undefined {
  const value = headers[HEADERS.state];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The body as JSON; undefined where it is none. */
function jsonOf({ text }: Answered): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export function problemOf(answer: Answer): { readonly code?: unknown; readonly detail?: unknown } | undefined {
  if (answer.kind === 'none') return undefined;
  const body = jsonOf(answer);
  return typeof body === 'object' && body !== null ? body : undefined;
}

function stateAdvice(answer: Answered, expected: readonly FenceState[]): string | undefined {
  const state = stateOf(answer);
  if (state === undefined || state === '') {
    return `send the header Ordertx-State (here ${expected.join(' or ')}) with every answer of the fence: without it the controller takes a ${answer.status} for a proxy's and asks again for ever`;
  }
  if (!isFenceState(state))
    return 'write Ordertx-State as Tried, Refused, Confirmed, Cancelled or None, with a capital';
  return undefined;
}

function documentAdvice(answer: Answered): string | undefined {
  const mediaType = (answer.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (mediaType !== PROBLEM_MEDIA_TYPE) return `send a 409's body as ${PROBLEM_MEDIA_TYPE} (RFC 9457)`;
  const { code, detail } = problemOf(answer) ?? {};
  if (typeof code !== 'string') return "send a 409's body as a JSON object with the member code";
  if (typeof detail !== 'string' || detail.trim() === '') {
    return 'say in the member detail why, in words that a customer-service person understands';
  }
  return undefined;
}

const REDIRECT = 'answer in place: the controller follows no redirect; put the final address into the flow’s endpoint';

const NO_ANSWER: Readonly<Record<'late' | 'unreachable' | 'broken', string>> = {
  late: 'answer sooner, or 425 with Retry-After while it is under way; --timeout is the flow’s timeoutSeconds',
  unreachable: 'start it, and look at the host and port of --url',
  broken: 'read its log: it closed the connection without a whole answer',
};

function isRedirect(answer: Answer): boolean {
  return answer.kind === 'answered' && answer.status >= 300 && answer.status <= 399;
}

/** What a status says by itself, whatever was expected. */
function usualAdvice(answer: Answered): string | undefined {
  if (isRedirect(answer)) return REDIRECT;
  if (answer.status >= 500)
    return 'read its log: it has an error of its own, and the controller would ask again for ever';
  if (answer.status === 425) return 'come to an end: it answered 425 (ask again later) for as long as it was asked';
  return ADVICE[answer.status];
}

const ADVICE: Readonly<Record<number, string>> = {
  401: 'give a token that it accepts with --token',
  404: 'serve the path, for POST and all three operations',
  405: 'serve the path, for POST and all three operations',
  413: 'take bodies of 64 kB: a payload may be that large',
  415: 'take application/json',
};

const CUT_CHARS = 160;

/** One printable line. */
function cut(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ').trim();
  return line.length > CUT_CHARS ? `${line.slice(0, CUT_CHARS)}...` : line;
}
