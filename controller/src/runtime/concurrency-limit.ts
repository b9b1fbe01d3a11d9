/**
 * At most so many at a time; the others wait in the order they came.
 */

/** Gives the place back; a second call does nothing. */
export type Release = () => void;

interface Waiting {
  readonly grant: (release: Release) => void;
}

export class ConcurrencyLimit {
  #max: number;
  #active = 0;
  /** A Set keeps the order and lets an aborted waiter leave from the middle. */
  readonly #waiting = new Set<Waiting>();

  constructor(max: number) {
    this.#max = atLeastOne(max);
  }

  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes effect at once: a larger limit lets waiting ones in, a smaller one is reached as places are given back. */
  resize(max: number): void {
    this.#max = atLeastOne(max);
    this.#admit();
  }

  /** Resolves with the place's release; rejects with the signal's reason when it is aborted before its turn. */
  acquire(signal: AbortSignal): Promise<Release> {
    if (signal.aborted) return Promise.reject(reasonOf(signal));
    if (this.#active < this.#max && this.#waiting.size === 0) return Promise.resolve(this.#take());
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        reject(reasonOf(signal));
      };
      const waiting: Waiting = {
        grant: (release) => {
          signal.removeEventListener('abort', leave);
          resolve(release);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.add(waiting);
    });
  }

  #take(): Release {
    this.#active += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#active -= 1;
      this.#admit();
    };
  }

  #admit(): void {
    for (const waiting of this.#waiting) {
      if (this.#active >= this.#max) return;
      this.#waiting.delete(waiting);
      waiting.grant(this.#take());
    }
  }
}

function atLeastOne(max: number): number {
  if (!(max >= 1)) throw new RangeError(`a concurrency limit lets at least one in, not ${max}`);
  return Math.floor(max);
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('aborted while waiting for a place');
}
