/**
 * Which transactions a verb is about: by name, by what they have in common, or all of them.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { NEEDS_WORK_SELECTOR } from '../src/kubernetes/stored-object.ts';
import { conditionIsTrue } from '../src/transaction/conditions.ts';
import { parseDurationMs } from './durations.ts';
import { ailmentOf, idOf } from './incident.ts';
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

/** What the API server itself picks out; `picks` says the rest of each that it sends. */
export function selectorsOf(session: Session, filter: Filter) {
  const { stuck, flow, target, incident } = filter;
  const unfinished = stuck === true || target !== undefined || incident !== undefined;
  return {
    labelSelector: session.selectors.labelSelector,
    fieldSelector: joined(
      session.selectors.fieldSelector,
      unfinished ? NEEDS_WORK_SELECTOR : undefined,
      flow === undefined ? undefined : `spec.flow=${selectorValue(flow)}`,
      target === undefined ? undefined : `status.waitingFor=${selectorValue(target)}`,
    ),
  };
}

/** @param session whose clock is that of the API server once that has sent what is to be picked from */
export function picksOf(filter: Filter, { now }: Pick<Session, 'now'>): (transaction: OrderTransaction) => boolean {
  const { stuck, incident, olderThan } = filter;
  const olderMs = olderThan === undefined ? undefined : parseDurationMs(olderThan, '--older-than');
  return (transaction) => {
    if (stuck === true && !conditionIsTrue(transaction.status, 'Stuck')) return false;
    const createdMs = Date.parse(transaction.metadata.creationTimestamp ?? '');
    if (olderMs !== undefined && !(createdMs <= now() - olderMs)) return false;
    if (incident === undefined) return true;
    const ailment = ailmentOf(transaction);
    return ailment !== undefined && idOf(ailment) === incident;
  };
}
