/**
 * What the fence says, and how it goes over the wire.
 */
import { HEADERS, type FenceState, type ProblemCode } from '../../../protocol/src/index.ts';
import { problem } from '../http/problem.ts';
import type { Reply } from '../http/reply.ts';

export type FenceAnswer =
  /** Done now (`replayed: false`) or before. `body` is JSON text. */
  | { readonly kind: 'done'; readonly state: FenceState; readonly body: string | null; readonly replayed: boolean }
  | { readonly kind: 'refused'; readonly state: FenceState; readonly code: ProblemCode; readonly detail: string }
  | { readonly kind: 'later'; readonly state: FenceState; readonly detail: string; readonly retryAfterSeconds: number }
  /** The transaction has this branch at another path, so this call is not for it. */
  | { readonly kind: 'misdirected'; readonly path: string };

const TITLES: Readonly<Record<ProblemCode, string>> = {
  refused: 'Refused',
  'no-try': 'Confirmed Without A Try',
  'already-confirmed': 'Already Confirmed',
  'already-cancelled': 'Already Cancelled',
  cancelled: 'Cancelled Before The Try',
  'payload-mismatch': 'Another Payload',
};

export function fenceReply(answer: FenceAnswer): Reply {
  switch (answer.kind) {
    case 'done':
      return {
        status: 200,
        body: answer.body === null ? {} : JSON.parse(answer.body),
        headers: { [HEADERS.state]: answer.state },
      };
    case 'refused': {
      const { state, code, detail } = answer;
      return problem(409, { title: TITLES[code], code, detail, headers: { [HEADERS.state]: state } });
    }
    case 'later': {
      const headers = { [HEADERS.state]: answer.state, [HEADERS.retryAfter]: retryAfter(answer.retryAfterSeconds) };
      return problem(425, { title: 'Ask Again Later', detail: answer.detail, headers });
    }
    case 'misdirected':
      return problem(421, { detail: `This branch of the transaction belongs to ${answer.path}.` });
  }
}

/** Whole seconds, at least one: the header knows nothing smaller. */
function retryAfter(seconds: number): string {
  return String(Math.max(1, Math.ceil(seconds)));
}
