/**
 * The cells of the fence's table (cells.ts) in which a call came late, twice or never: what the fence is there for, counted.
 *
 * Some are what a network does (duplicate, late-try, empty-rollback): few are usual, many say that something is slow or was restarted. The
 * others say that participants, or a store that was put back, disagree with the decision: a person must look.
 */
import type { FenceState, Operation } from '../../../protocol/src/index.ts';
import type { FenceAnswer } from './answer.ts';

export type Anomaly =
  | 'duplicate'
  | 'late-try'
  | 'empty-rollback'
  | 'confirm-without-try'
  | 'confirm-of-refused'
  | 'confirm-after-cancel'
  | 'cancel-after-confirm'
  | 'payload-mismatch';

type Cells = Readonly<Record<Operation, Readonly<Partial<Record<FenceState, Anomaly>>>>>;

const ANOMALIES: Cells = {
  try: { Tried: 'duplicate', Refused: 'duplicate', Confirmed: 'duplicate', Cancelled: 'late-try' },
  confirm: {
    None: 'confirm-without-try',
    Refused: 'confirm-of-refused',
    Confirmed: 'duplicate',
    Cancelled: 'confirm-after-cancel',
  },
  cancel: { None: 'empty-rollback', Confirmed: 'cancel-after-confirm', Cancelled: 'duplicate' },
};

/** Undefined where the call came as it should, or came to nothing yet. */
export function anomalyOf(stored: FenceState, operation: Operation, answer: FenceAnswer): Anomaly | undefined {
  switch (answer.kind) {
    case 'done':
      return ANOMALIES[operation][stored];
    case 'refused':
      return answer.code === 'payload-mismatch' ? 'payload-mismatch' : ANOMALIES[operation][stored];
    case 'later':
    case 'misdirected':
      return undefined;
  }
}
