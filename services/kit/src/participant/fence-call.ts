/**
 * A call of a branch as the fence takes it: from whom, and with what.
 */
import type { TransactionName } from '../../../protocol/src/index.ts';
import type { FieldIssue } from '../http/validate.ts';
import type { Canonical } from './digest.ts';

export interface CallIdentity {
  readonly transaction: TransactionName;
  readonly attempt: number;
}
/** A try and a confirm have a payload with a canonical form; a cancel has whatever came, or nothing. */
export type FenceCall = CallIdentity &
  (
    | {
        readonly operation: 'try';
        readonly body: unknown;
        readonly canonical: Canonical;
        /** A number of the payload that is another one in `body`: then nothing is tried. */
        readonly inexact: FieldIssue | undefined;
      }
    | {
        readonly operation: 'confirm';
        readonly body: unknown;
        readonly canonical: Canonical;
        readonly reason: string;
        readonly detail: string;
      }
    | { readonly operation: 'cancel'; readonly body: unknown; readonly reason: string; readonly detail: string }
  );
