/**
 * Which transactions a verb is about: by name, by what they have in common, or all of them.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { NEEDS_WORK_SELECTOR } from '../src/kubernetes/stored-object.ts';
import { conditionIsTrue } from '../src/transaction/conditions.ts';
import { parseDurationMs } from './durations.ts';
import { ailmentOf, ofIncident, waitsFor } from './incident.ts';
import { joined, selectorValue, type Session } from './session.ts';

export interface Filter {
  readonly stuck?: boolean;
  readonly flow?: string;
  readonly target?: string;
  readonly incident?: string;
  readonly olderThan?: string;
}

export function addFilterFlags(command: Command): Command {
  return command
    .option('--stuck', 'only those that need a person')
    .option('--flow <name>', 'only those of this flow')
    .option('--target <name>', 'only those that wait for this participant or message')
    .option('--incident <id>', 'only those of this incident (kubectl ordertx incidents)')
    .option('--older-than <duration>', 'only those created longer ago');
}

export function isNarrowed({ stuck, flow, target, incident, olderThan }: Filter): boolean {
  return Boolean(stuck ?? flow ?? target ?? incident ?? olderThan);
}

/** What the API server itself picks out; `picksOf` says the rest of what it sends. */
export function selectorsOf(session: Session, filter: Filter) {
  const { stuck, flow, target, incident } = filter;
  const unfinished = stuck === true || target !== undefined || incident !== undefined;
  return {
    labelSelector: session.selectors.labelSelector,
    fieldSelector: joined(
      session.selectors.fieldSelector,
      unfinished ? NEEDS_WORK_SELECTOR : undefined,
      flow === undefined ? undefined : `spec.flow=${selectorValue(flow)}`,
    ),
  };
}

export interface Picks {
  /** Whether it is kept, of all that the API server sends. */
  readonly each: (transaction: OrderTransaction) => boolean;
  /** Of those that were kept: which incident a transaction belongs to shows beside the others only. */
  readonly among: <T extends { readonly transaction: OrderTransaction }>(kept: readonly T[]) => readonly T[];
}

/**
 * The rest of what the filter says, which no selector can say.
 *
 * @param session whose clock is that of the API server once that has sent what is to be picked from
 */
export function picksOf({ stuck, target, incident, olderThan }: Filter, { now }: Pick<Session, 'now'>): Picks {
  const olderMs = olderThan === undefined ? undefined : parseDurationMs(olderThan, '--older-than');
  const fits = (transaction: OrderTransaction): boolean => {
    const { metadata, status } = transaction;
    // `status.waitingFor` names one of them, and it may wait for several.
    if (target !== undefined && !waitsFor(transaction, target)) return false;
    if (stuck === true && !conditionIsTrue(status, 'Stuck')) return false;
    return olderMs === undefined || Date.parse(metadata.creationTimestamp ?? '') <= now() - olderMs;
  };
  if (incident === undefined) return { each: fits, among: (kept) => kept };
  return {
    each: (transaction) => ailmentOf(transaction) !== undefined,
    among: (kept) => ofIncident(incident, kept).filter(({ transaction }) => fits(transaction)),
  };
}
