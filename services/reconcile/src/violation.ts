/**
 * What an invariant says when it is broken.
 */

export interface Violation {
  readonly invariant: string;
  /** Orders, SKUs, payments, messages or transactions that are concerned. */
  readonly ids: readonly string[];
  readonly says: string;
}

/** What one invariant has found; its name is added by whoever asked it. */
export type Found = Iterable<Omit<Violation, 'invariant'>>;
