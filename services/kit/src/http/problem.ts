/**
 * Problem documents (RFC 9457) as replies.
 */
import { STATUS_CODES } from 'node:http';
import { PROBLEM_MEDIA_TYPE, type Problem } from '../../../protocol/src/index.ts';
import type { Reply } from './reply.ts';

export interface ProblemOptions {
  /** Default: the status' own name ("Not Found"). */
  readonly title?: string;
  /** What was wrong this time and what to do, for people. */
  readonly detail: string;
  readonly code?: string;
  /** Further members, e.g. orderId. */
  readonly extra?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export function problem(status: number, options: ProblemOptions): Reply {
  const body: Problem = {
    title: options.title ?? STATUS_CODES[status] ?? 'Error',
    status,
    detail: options.detail,
    ...(options.code === undefined ? {} : { code: options.code }),
    ...options.extra,
  };
  return { status, body, headers: { ...options.headers, 'content-type': PROBLEM_MEDIA_TYPE } };
}

/** For code that cannot return a reply, such as middleware: thrown, the error handler answers with it. */
export class ProblemError extends Error {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super(`answered ${reply.status}`);
    this.name = 'ProblemError';
    this.reply = reply;
  }
}
