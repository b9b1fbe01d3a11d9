/**
 * One request and its whole answer.
 *
 * Speaks undici's dispatch interface, without streams between: an answer that is read to its end anyway takes less than half the CPU so.
 *
 * 1. It settles exactly once: with the answer's end, with what broke it, or when the signal aborts, with that reason.
 * 2. It settles with the abort also while a connection is still being made, which undici does not interrupt.
 */
import type { Dispatcher } from 'undici';

export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface WholeAnswer {
  readonly statusCode: number;
  /** Names in lower case. */
  readonly headers: HttpHeaders;
  readonly text: string;
}

export function wholeAnswer(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal,
): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const handler = new Handler(resolve, reject);
    signal.addEventListener('abort', () => handler.abandon(signal.reason as Error), { once: true });
    dispatcher.dispatch(options, handler);
  });
}

class Handler implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: WholeAnswer) => void;
  readonly #reject: (error: Error) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #abandoned: Error | undefined;
  #statusCode = 0;
  #headers: HttpHeaders = {};
  readonly #chunks: Buffer[] = [];

  constructor(resolve: (answer: WholeAnswer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** What is under way is ended; what still waits for a connection is not sent any more. */
  abandon(reason: Error): void {
    this.#abandoned = reason;
    this.#reject(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#abandoned !== undefined) controller.abort(this.#abandoned);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number, headers: HttpHeaders): void {
    this.#statusCode = statusCode;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const text = Buffer.concat(this.#chunks).toString('utf8');
    this.#resolve({ statusCode: this.#statusCode, headers: this.#headers, text });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}
