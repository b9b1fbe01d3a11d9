/**
 * What people have done to a transaction: suspended it, let it go on, asked for its cancellation, settled a part, given it up; and by whom.
 *
 * 1. An act is told when it is first seen to be new: its name and note depend on the object alone, so that two who tell it, or one before
 *    and after a restart, tell the same.
 * 2. After a restart nothing is remembered. What the stored status answers already (Suspended is True, the decision is stored, the part
 *    has ended) was told then, and is not told again.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { conditionIsTrue } from './conditions.ts';
import { branchesOf, branchIsOpen, isFinal, messageIsOpen, messagesOf } from './phase.ts';

export const ABANDON_ANNOTATION = 'ordertx.dev/abandon';
export const ABANDONED_BY_ANNOTATION = 'ordertx.dev/abandoned-by';
/** A shorter reason gives nothing up: as the guard of deletions has it. */
const ABANDON_CHARS_MIN = 3;

export interface Act {
  readonly reason: 'Suspended' | 'Resumed' | 'CancelRequested' | 'Settled' | 'Abandoned';
  /** Tells this act from every other of the same transaction. */
  readonly id: string;
  /** One sentence: who did it, and why where people say so. */
  readonly note: string;
}

/** What was seen of one transaction's acts. */
export interface Seen {
  readonly suspend: boolean;
  /** By their ids. */
  readonly told: ReadonlySet<string>;
}

export interface Acts {
  readonly fresh: readonly Act[];
  /** Undefined where there is nothing to remember: nobody has done anything. */
  readonly seen: Seen | undefined;
}

/** @param seen what the call before has answered for this object; undefined at first, and after a restart */
export function actsOf(transaction: OrderTransaction, seen: Seen | undefined): Acts {
  const { spec, status } = transaction;
  const isPaused = spec.suspend || conditionIsTrue(status, 'Suspended');
  const others = [...cancelOf(transaction), ...settledOf(transaction), ...abandonOf(transaction)];
  if (!isPaused && seen === undefined && others.length === 0) return { fresh: [], seen: undefined };

  const told = new Set(seen?.told);
  const fresh = [...suspensionOf(transaction, seen), ...others.filter(({ id }) => !told.has(id))];
  for (const { id } of fresh) told.add(id);
  return { fresh, seen: { suspend: spec.suspend, told } };
}

/** Whether somebody may delete it although it has not ended. */
export function isGivenUp({ metadata, status }: OrderTransaction): boolean {
  const why = metadata.annotations?.[ABANDON_ANNOTATION] ?? '';
  return !isFinal(status?.phase) && [...why].length >= ABANDON_CHARS_MIN;
}

function suspensionOf({ metadata, spec, status }: OrderTransaction, seen: Seen | undefined): readonly Act[] {
  const { suspend } = spec;
  const before = seen?.suspend ?? conditionIsTrue(status, 'Suspended');
  if (suspend === before || isFinal(status?.phase)) return [];
  const id = String(metadata.generation ?? 0);
  return suspend
    ? [{ reason: 'Suspended', id, note: `${named(spec.suspendedBy)} suspended it` }]
    : [{ reason: 'Resumed', id, note: `${named(spec.resumedBy)} let it go on` }];
}

function cancelOf({ spec, status }: OrderTransaction): readonly Act[] {
  if (!spec.cancelRequested || status?.decision !== undefined) return [];
  const note = `${named(spec.cancelRequestedBy)} asked for its cancellation`;
  return [{ reason: 'CancelRequested', id: 'cancel', note }];
}

function settledOf({ spec, status = {} }: OrderTransaction): readonly Act[] {
  if (spec.resolutions === undefined) return [];
  const open = new Set(
    [
      ...branchesOf(status).filter((branch) => branchIsOpen(branch, status.decision)),
      ...messagesOf(status).filter(messageIsOpen),
    ].map(({ name }) => name),
  );
  return spec.resolutions
    .filter(({ target }) => open.has(target))
    .map(({ target, as, reason, by }) => ({
      reason: 'Settled',
      id: `settled ${target}`,
      note: `${named(by)} settled ${target} as ${as}: ${reason}`,
    }));
}

function abandonOf(transaction: OrderTransaction): readonly Act[] {
  if (!isGivenUp(transaction)) return [];
  const { annotations = {} } = transaction.metadata;
  const why = annotations[ABANDON_ANNOTATION] ?? '';
  const by = annotations[ABANDONED_BY_ANNOTATION];
  return [{ reason: 'Abandoned', id: `abandoned ${by ?? ''} ${why}`, note: `${named(by)} gave it up: ${why}` }];
}

/** Who did it before acts were signed is in nobody's record. */
function named(by: string | undefined): string {
  return by === undefined || by === '' ? 'somebody unnamed' : by;
}
