/**
 * Parts that have ended stay so, which is what somebody who broke one wants to look at, until they are asked for again.
 */
import type { Part } from './parts.ts';
import { say } from './progress.ts';

export interface RevivalOptions {
  /** From then on parts end because everything does. */
  readonly ending: AbortSignal;
  /** Called after each part that is back. */
  readonly onBack: () => Promise<void>;
  /** What a person types to have `revive` called; said with each end. */
  readonly command?: string | undefined;
}

export class Revival {
  readonly #options: RevivalOptions;
  readonly #ended = new Set<Part>();

  constructor(options: RevivalOptions) {
    this.#options = options;
  }

  watch(part: Part): void {
    const { ending, command } = this.#options;
    const { pid, exited } = part.process;
    void exited.then((exit) => {
      if (ending.aborted) return;
      this.#ended.add(part);
      const how = exit.signal ?? `exit code ${exit.code}`;
      say(`${part.name} (pid ${pid}) ended by ${how}${command === undefined ? '' : `; start it again: ${command}`}`);
    });
  }

  /** Starts every part that has ended, each on its port. Never rejects. */
  async revive(): Promise<void> {
    const { ending, onBack } = this.#options;
    // Who asks twice does not start a part twice.
    const parts = [...this.#ended];
    this.#ended.clear();
    if (parts.length === 0) say('no part has ended: there is nothing to start again');
    for (const part of parts) {
      if (ending.aborted) return;
      try {
        await part.restart();
        await onBack();
        say(`${part.name} is back as pid ${part.process.pid}`);
        this.watch(part);
      } catch (error) {
        this.#ended.add(part);
        say(`${part.name} did not come back: ${(error as Error).message}`);
      }
    }
  }
}
