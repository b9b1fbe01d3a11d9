/**
 * Why a transaction was cancelled, in the words that an order's history keeps.
 */
import type { CancelCall } from '../../../kit/src/index.ts';

const REASONS: Readonly<Record<string, string>> = {
  Refused: 'a service refused it',
  DeadlineExceeded: 'a service did not answer in time',
  CancelRequested: 'it was cancelled on request',
};

/** The words of whoever refused; else our own for the decision's reason. Control characters would not survive the database. */
export function cancelReason({ reason, detail }: Pick<CancelCall<unknown>, 'reason' | 'detail'>): string {
  const words = detail.replace(/\p{Cc}+/gu, ' ').trim();
  return words === '' ? (REASONS[reason] ?? 'it was cancelled') : words;
}
