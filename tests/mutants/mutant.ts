/** One way to break the code; mutants.ts says what for. */
export interface Mutant {
  /** What the broken code does. */
  readonly name: string;
  /** Which promise that breaks. */
  readonly breaks: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
}
