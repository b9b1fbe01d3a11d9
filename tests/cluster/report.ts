/**
 * What came of each step, printed when it ends: a line that begins with ok or failed, and at last their numbers.
 */

/** A step says in a sentence what it has seen; what it rejects with is why it failed. */
export type Step = { readonly name: string; readonly run: () => Promise<string> };

export class Report {
  readonly #print: (line: string) => void;
  #passed = 0;
  #failed = 0;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** Whether it went well. Never rejects. */
  async take({ name, run }: Step): Promise<boolean> {
    const startedAt = Date.now();
    const seconds = (): string => `${((Date.now() - startedAt) / 1_000).toFixed(0)} s`;
    try {
      const sentence = await run();
      this.#passed += 1;
      this.#print(`ok      ${name}: ${sentence} [${seconds()}]`);
      return true;
    } catch (error) {
      this.#failed += 1;
      this.#print(`failed  ${name}: ${error instanceof Error ? error.message : String(error)} [${seconds()}]`);
      return false;
    }
  }

  /** Steps that make no sense after one that failed. */
  leaveOut(steps: readonly Step[], because: string): void {
    for (const { name } of steps) {
      this.#failed += 1;
      this.#print(`failed  ${name}: left out, because ${because}`);
    }
  }

  get isGood(): boolean {
    return this.#failed === 0;
  }

  get sum(): string {
    return `${this.#passed} passed, ${this.#failed} failed`;
  }
}
