/**
 * One HTTP request and what came back, whatever that is.
 *
 * Speaks undici's dispatch interface, without streams between: an answer's body is small, and on the happy path nobody
 * reads it. Says what happened and nothing about what it means: classify.ts and no-answer.ts do that.
 *
 * 1. It resolves exactly once and never rejects.
 * 2. It resolves no later than the deadline ends, in whatever stage it is.
 * 3. A connection whose answer was not read to its end is destroyed: none is left half read, and none is used again.
 * 4. An answer counts as read when its body has ended, or has passed BODY_BYTES_MAX; a body that breaks off is `broken`.
 */
import type { Dispatcher } from 'undici';
import type { Deadline, End } from './deadline.ts';

/** Enough for any problem+json; little enough that a thousand answers at once cannot hurt the process. */
export const BODY_BYTES_MAX = 65_536;

export interface HttpRequest {
  readonly origin: string;
  readonly path: string;
  /** Name, value, name, value: the form undici takes without making another. */
  readonly headers: string[];
  readonly body: Buffer;
}

export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: HttpHeaders;
  /** Only kept of a 409; absent also where it was longer than BODY_BYTES_MAX. */
  readonly body?: string;
}

export type Exchange =
  | { readonly kind: 'answered'; readonly answer: HttpAnswer }
  | { readonly kind: 'broken'; readonly error: unknown }
  | { readonly kind: End };

export function exchange(dispatcher: Dispatcher, request: HttpRequest, deadline: Deadline): Promise<Exchange> {
  return new Promise((resolve) => {
    const handler = new Handler(resolve);
    deadline.onEnd((end) => handler.abandon({ kind: end }));
    if (deadline.end) return;
    try {
      dispatcher.dispatch({ ...request, method: 'POST' }, handler);
    } catch (error) {
      handler.abandon({ kind: 'broken', error });
    }
  });
}

/** Why undici destroys a connection; seen by nobody, because the exchange has resolved by then. */
const ABANDONED = new Error('the call no longer waits for this answer');

class Handler implements Dispatcher.DispatchHandler {
  readonly #resolve: (result: Exchange) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #headers: HttpHeaders = {};
  #bodyBytes = 0;
  readonly #kept: Buffer[] = [];

  constructor(resolve: (result: Exchange) => void) {
    this.#resolve = resolve;
  }

  abandon(result: Exchange): void {
    this.#settle(result);
    this.#controller?.abort(ABANDONED);
  }

  /** Comes once there is a connection: a call that was abandoned before is not sent any more. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(ABANDONED);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: HttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > BODY_BYTES_MAX) {
      this.abandon({ kind: 'answered', answer: { status: this.#status, headers: this.#headers } });
    } else if (this.#status === 409) {
      this.#kept.push(chunk);
    }
  }

  onResponseEnd(): void {
    const body = this.#status === 409 ? Buffer.concat(this.#kept).toString('utf8') : undefined;
    this.#settle({ kind: 'answered', answer: { status: this.#status, headers: this.#headers, body } });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle({ kind: 'broken', error });
  }

  #settle(result: Exchange): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#resolve(result);
  }
}
