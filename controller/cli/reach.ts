/**
 * How far an answer reaches: which namespace and which part of it a filter names, and whether there is such a thing. That nothing fails
 * at a participant which nobody has is no good news.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { TRANSACTIONS, type ObjectList } from '../src/kubernetes/stored-object.ts';
import { collectionOf } from './api.ts';
import type { Filter } from './selection.ts';
import { selectorValue, type Session } from './session.ts';
import { Trouble } from './trouble.ts';

/** "in the namespace shop, with --flow create-order": as it can be typed again. */
export function reachOf(session: Session, filter: Filter = {}): string {
  const { fieldSelector, labelSelector } = session.selectors;
  const flags: readonly (readonly [string, string | undefined])[] = [
    ...([
      ['--flow', filter.flow],
      ['--target', filter.target],
      ['--incident', filter.incident],
      ['--older-than', filter.olderThan],
    ] as const),
    ...([
      ['-l', labelSelector],
      ['--field-selector', fieldSelector],
    ] as const),
  ];
  const given = [
    ...(filter.stuck === true ? ['--stuck'] : []),
    ...flags.flatMap(([flag, value]) => (value === undefined ? [] : [`${flag} ${value}`])),
  ];
  return `${placeOf(session)}${given.length === 0 ? '' : `, with ${given.join(' ')}`}`;
}

function placeOf({ namespace }: Session): string {
  return namespace === undefined ? 'in any namespace' : `in the namespace ${namespace}`;
}

/** Undefined where they may not be read, or cannot be just now. */
export async function flowsIfReadable(session: Session): Promise<readonly TransactionFlow[] | undefined> {
  try {
    return await session.api.flows(session.namespace);
  } catch (error) {
    if (error instanceof Trouble) return undefined;
    throw error;
  }
}

export function hasTarget({ spec }: TransactionFlow, target: string): boolean {
  return [...spec.participants, ...(spec.messages ?? [])].some(({ name }) => name === target);
}

/**
 * For a filter by which nothing was found: ends the program where it names a flow or a target that there is none of.
 *
 * @param flows undefined: nobody can say what there is, so nothing is refused
 */
export async function requireKnown(
  session: Session,
  { flow, target }: Pick<Filter, 'flow' | 'target'>,
  flows: readonly TransactionFlow[] | undefined,
): Promise<void> {
  if (flows === undefined) return;
  const meant = flow === undefined ? flows : flows.filter(({ metadata }) => metadata.name === flow);
  if (flow !== undefined && meant.length === 0) {
    // A flow that is gone is still what its transactions wait for.
    if (await isCarried(session, flow)) return;
    throw new Trouble(`there is no flow ${flow} ${placeOf(session)}, and no transaction of one: kubectl ordertx flows`);
  }
  if (target === undefined || meant.some((each) => hasTarget(each, target))) return;
  const whose = flow === undefined ? `no flow ${placeOf(session)}` : `the flow ${flow} ${placeOf(session)}`;
  const has = flow === undefined ? 'has a participant or message' : 'has no participant and no message';
  throw new Trouble(`${whose} ${has} ${target}: kubectl ordertx flows`);
}

async function isCarried(session: Session, flow: string): Promise<boolean> {
  const answer = await session.api.ask<ObjectList<OrderTransaction>>({
    method: 'GET',
    path: collectionOf(TRANSACTIONS, session.namespace),
    query: { fieldSelector: `spec.flow=${selectorValue(flow)}`, limit: '1' },
  });
  return answer.kind !== 'ok' || answer.body.items.length > 0;
}

export function noIncident(session: Session, filter: Filter): string {
  const { incident = '', ...others } = filter;
  return `there is no incident ${incident} ${reachOf(session, others)}: it is over, or told in other words by now (kubectl ordertx incidents)`;
}
