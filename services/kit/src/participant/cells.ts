/**
 * The fence's table (section 4 of docs/reference/participant-protocol.md): what a call does to a branch in a stored state.
 *
 * Pure: (what is stored, operation, digest of the payload that came) to one step. The 15 cells, by stored state and operation:
 *
 *              try                    confirm                  cancel
 *   None       run                    409 no-try               run, tried: false   (empty rollback)
 *   Tried      replay the answer      run                      run, tried: true
 *   Refused    replay the refusal     409 refused              run, tried: false
 *   Confirmed  replay the answer      done                     409 already-confirmed
 *   Cancelled  409 cancelled          409 already-cancelled    done                (suspension: a late try reserves nothing)
 *
 * 1. Another payload than the one tried is 409 payload-mismatch on try and confirm, whatever the state; never on cancel. A branch
 *    that was cancelled before its try has no payload to compare with.
 * 2. No answer here changes anything; only a run does.
 */
import type { Operation } from '../../../protocol/src/index.ts';
import type { FenceAnswer } from './answer.ts';
import type { StoredBranch } from './stored-branch.ts';

export type Step =
  | { readonly kind: 'run-try' }
  | { readonly kind: 'run-confirm'; readonly payload: string; readonly digest: string; readonly answer: string | null }
  | { readonly kind: 'run-cancel'; readonly tried: true; readonly payload: string; readonly digest: string }
  | { readonly kind: 'run-cancel'; readonly tried: false; readonly digest: string | null }
  | { readonly kind: 'answer'; readonly answer: FenceAnswer };

/** `digest` is that of the call's payload; it does not count for cancel. */
export function stepFor(stored: StoredBranch, operation: Operation, digest: string | undefined): Step {
  if (operation !== 'cancel' && stored.state !== 'None' && stored.digest !== null && stored.digest !== digest) {
    return refused(
      stored,
      'payload-mismatch',
      'This step came before with other contents; nothing was changed by this one.',
    );
  }
  switch (operation) {
    case 'try':
      return stepForTry(stored);
    case 'confirm':
      return stepForConfirm(stored);
    case 'cancel':
      return stepForCancel(stored);
  }
}

function stepForTry(stored: StoredBranch): Step {
  switch (stored.state) {
    case 'None':
      return { kind: 'run-try' };
    case 'Tried':
    case 'Confirmed':
      return done(stored.state, stored.answer);
    case 'Refused':
      return refused(stored, 'refused', stored.refusal);
    case 'Cancelled':
      return refused(stored, 'cancelled', 'This step was already cancelled, so nothing is reserved for it any more.');
  }
}

function stepForConfirm(stored: StoredBranch): Step {
  switch (stored.state) {
    case 'None':
      return refused(stored, 'no-try', 'Nothing was reserved here for this step, so there is nothing to confirm.');
    case 'Tried':
      return { kind: 'run-confirm', payload: stored.payload, digest: stored.digest, answer: stored.answer };
    case 'Refused':
      return refused(stored, 'refused', stored.refusal);
    case 'Confirmed':
      return done('Confirmed', null);
    case 'Cancelled':
      return refused(stored, 'already-cancelled', 'This step was already cancelled, so it cannot be confirmed.');
  }
}

function stepForCancel(stored: StoredBranch): Step {
  switch (stored.state) {
    case 'None':
      return { kind: 'run-cancel', tried: false, digest: null };
    case 'Tried':
      return { kind: 'run-cancel', tried: true, payload: stored.payload, digest: stored.digest };
    case 'Refused':
      return { kind: 'run-cancel', tried: false, digest: stored.digest };
    case 'Confirmed':
      return refused(stored, 'already-confirmed', 'This step was already confirmed, so it cannot be cancelled.');
    case 'Cancelled':
      return done('Cancelled', null);
  }
}

function done(state: 'Tried' | 'Confirmed' | 'Cancelled', body: string | null): Step {
  return { kind: 'answer', answer: { kind: 'done', state, body, replayed: true } };
}

function refused(stored: StoredBranch, code: Extract<FenceAnswer, { kind: 'refused' }>['code'], detail: string): Step {
  return { kind: 'answer', answer: { kind: 'refused', state: stored.state, code, detail } };
}
