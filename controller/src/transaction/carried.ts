/**
 * Old beside new: while versions run side by side, a newer one may have written fields that this one does not know, in a branch, a
 * message or a condition. A status is stored whole, so what is made anew here takes them along, or the write would remove them.
 */
import type { Branch, Condition, Message } from '../../../crds/generated/ordertransaction.ts';

type Known<T> = Readonly<Record<keyof T, true>>;

const BRANCH = {
  name: true,
  state: true,
  attempts: true,
  confirmedBefore: true,
  lastError: true,
  nextAttemptTime: true,
} satisfies Known<Branch>;

const MESSAGE = {
  name: true,
  delivery: true,
  state: true,
  attempts: true,
  lastError: true,
  nextAttemptTime: true,
} satisfies Known<Message>;

const CONDITION = {
  type: true,
  status: true,
  reason: true,
  message: true,
  observedGeneration: true,
  lastTransitionTime: true,
} satisfies Known<Condition>;

/** The branch as it is after something happened to it; `before` is what it replaces. */
export function branchFrom(before: Branch, after: Branch): Branch {
  return carried(BRANCH, before, after);
}

/** As `branchFrom`; without `before` it is new. */
export function messageFrom(before: Message | undefined, after: Message): Message {
  return before === undefined ? after : carried(MESSAGE, before, after);
}

/** As `messageFrom`. */
export function conditionFrom(before: Condition | undefined, after: Condition): Condition {
  return before === undefined ? after : carried(CONDITION, before, after);
}

function carried<T extends object>(known: Known<T>, before: T, after: T): T {
  if (before === after) return after;
  const unknown = Object.entries(before).filter(([field]) => !Object.hasOwn(known, field));
  return unknown.length === 0 ? after : { ...Object.fromEntries(unknown), ...after };
}
