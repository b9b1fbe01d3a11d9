/**
 * The end of one call's patience: its time is up, the controller is stopping, or nobody wants it any more.
 *
 * One timer and one listener cover everything a call waits for (token, connection, headers, body). An AbortSignal
 * handed to undici would not do: it is not looked at while a connection is still being made, so a host that swallows
 * packets would hold a call for as long as the connect time-out.
 */

export type End = 'timedOut' | 'aborted';

export class Deadline {
  #end: End | undefined;
  #listener: ((end: End) => void) | undefined;
  readonly #signals: readonly AbortSignal[];
  readonly #timer: NodeJS.Timeout;
  readonly #abort = () => this.#finish('aborted');

  constructor(timeoutMs: number, signals: readonly AbortSignal[]) {
    this.#signals = signals;
    this.#timer = setTimeout(() => this.#finish('timedOut'), timeoutMs);
    if (signals.some((signal) => signal.aborted)) this.#finish('aborted');
    else for (const signal of signals) signal.addEventListener('abort', this.#abort, { once: true });
  }

  get end(): End | undefined {
    return this.#end;
  }

  /** Replaces the listener; a new one is told at once when the end has come already. */
  onEnd(listener: (end: End) => void): void {
    this.#listener = listener;
    if (this.#end) listener(this.#end);
  }

  /** After this nothing comes any more. */
  clear(): void {
    clearTimeout(this.#timer);
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#abort);
    this.#listener = undefined;
  }

  #finish(end: End): void {
    const listener = this.#listener;
    this.clear();
    this.#end ??= end;
    listener?.(this.#end);
  }
}

/** The promise's value, or the end, whichever comes first; rejects as the promise does. */
export function unlessEnded<T>(promise: Promise<T>, deadline: Deadline): Promise<T | End> {
  return new Promise((resolve, reject) => {
    deadline.onEnd(resolve);
    promise.then(resolve, reject);
  });
}
