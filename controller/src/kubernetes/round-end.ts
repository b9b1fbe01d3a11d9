/** How an informer's list or watch ended, and what is said of it. */
import type { ApiAnswer } from './transport.ts';

/** How one list or watch ended. */
export type RoundEnd =
  | { readonly kind: 'done' }
  /** What we hold is too old to be continued from (HTTP 410): list again. */
  | { readonly kind: 'expired' }
  /** It cannot be shown that the store's history is the one our copies are from (I2). */
  | { readonly kind: 'unproven' }
  /** There is no right to it (HTTP 403). */
  | { readonly kind: 'forbidden'; readonly message: string }
  | { readonly kind: 'broken'; readonly message: string };

export function endOf(answer: Exclude<ApiAnswer<unknown>, { kind: 'ok' }>): RoundEnd {
  if (answer.kind === 'unanswered') return { kind: 'broken', message: answer.message };
  const { status, message } = answer.error;
  if (status === 410) return { kind: 'expired' };
  if (status === 403) return { kind: 'forbidden', message };
  return { kind: 'broken', message: `the API server answered ${status}: ${message}` };
}

export function sentenceOf(end: Exclude<RoundEnd, { kind: 'done' | 'forbidden' }>): string {
  switch (end.kind) {
    case 'expired':
      return 'the watch cannot be continued from what is held: listing again';
    case 'unproven':
      return 'the store may have been put back meanwhile: asking before going on';
    case 'broken':
      return end.message;
  }
}
