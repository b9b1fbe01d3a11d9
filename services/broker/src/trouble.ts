/**
 * What a loop over Redis does when it fails: it pauses, longer each time, and says so once.
 *
 * A blocking read is a loop's only wait while all is well, and an error skips it: without a pause of its own every error path is a
 * busy loop that fills the log.
 */
import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MIN_MS = 200;
/** Short beside every sender's longest pause: what was mended is seen soon. */
const PAUSE_MAX_MS = 5_000;

export interface Telling {
  readonly warn: (error: unknown) => void;
  readonly well: () => void;
}

/** One log line when something stops working and one when it works again, however often it fails in between. */
export class Trouble {
  readonly #tell: Telling;
  #failures = 0;

  constructor(tell: Telling) {
    this.#tell = tell;
  }

  get ill(): boolean {
    return this.#failures > 0;
  }

  failed(error: unknown): void {
    this.#failures += 1;
    if (this.#failures === 1) this.#tell.warn(error);
  }

  worked(): void {
    if (this.#failures > 0) this.#tell.well();
    this.#failures = 0;
  }

  /** To be awaited after each failure; `signal` ends it early. Replicas that failed together should not come back together. */
  async pause(signal?: AbortSignal): Promise<void> {
    const longMs = Math.min(PAUSE_MIN_MS * 2 ** Math.max(0, this.#failures - 1), PAUSE_MAX_MS);
    await delay(longMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
  }
}
