/**
 * What is wrong with a transaction, and what transactions have in common: an incident is one cause, however many it holds up.
 *
 * A hold is no trouble: somebody has decided that nothing is asked. What waits for nothing but holds is in no incident.
 *
 * While a participant answers nobody it is asked by turns: some have an answer of their own ("refused the connection", another one from the
 * moment it died), most have not been asked since and say so. That is one cause in several words, so it is one incident, and the id of each
 * wording names it.
 */
import { createHash } from 'node:crypto';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { conditionIsTrue, findCondition } from '../src/transaction/conditions.ts';
import { isAboutHold } from '../src/transaction/hold.ts';
import {
  branchesOf,
  branchIsOpen,
  isFinal,
  messageIsOpen,
  messagesOf,
  operationFor,
} from '../src/transaction/phase.ts';
import { BROKER_AWAY, HOST_UNKNOWN, NOT_CALLED, REFUSED } from '../src/transaction/outcome.ts';
import { describeEach } from '../src/transaction/sentences.ts';
import { ANSWERS_NOBODY } from '../src/transaction/unanswering.ts';

export interface Ailment {
  readonly namespace: string;
  readonly flow: string;
  /** The participant or message that it waits for; empty where it is the flow or the transaction itself. */
  readonly target: string;
  /** try, confirm, cancel or deliver; empty where nothing is being done. */
  readonly operation: string;
  readonly sentence: string;
  /** Of the condition Stuck; empty while it only fails. */
  readonly reason: string;
  readonly isSuspended: boolean;
}

export interface Incident extends Ailment {
  /** Names the cause: the same for as long as it is the same. */
  readonly id: string;
  /** That one, and those of the other words in which it is told. */
  readonly ids: readonly string[];
  readonly transactions: readonly Sufferer[];
  readonly stuck: number;
  /** When the oldest was created, in milliseconds since the epoch. */
  readonly oldestMs: number;
}

export interface Sufferer {
  readonly name: string;
  readonly orderId: string;
  readonly createdMs: number;
}

/** Who suffers from what: a transaction that fails at two participants is held up by two causes, and is in two incidents. */
export type Suffering = readonly [Sufferer, Ailment];

/** @returns undefined where there are none, so that lists of thousands keep nothing of them */
export function sufferingsOf(transaction: OrderTransaction): readonly Suffering[] | undefined {
  const ailments = ailmentsOf(transaction);
  if (ailments.length === 0) return undefined;
  const sufferer = suffererOf(transaction);
  return ailments.map((ailment) => [sufferer, ailment] as const);
}

/**
 * All that fails: what its sentence is about first, then whatever else is open and has an error, in the controller's own words for it.
 * Empty where nothing is wrong, or nothing that is not somebody's decision.
 */
export function ailmentsOf(transaction: OrderTransaction): readonly Ailment[] {
  const first = ailmentOf(transaction);
  if (first === undefined) return [];
  const { status = {} } = transaction;
  // Nothing of it is asked just now: it waits for one thing, whatever failed before.
  if (first.isSuspended || first.target === '') return [first];
  const others = describeEach(status).filter(({ waitingFor }) => waitingFor !== first.target);
  return [
    first,
    ...others.map(({ waitingFor, message }): Ailment => ({
      ...first,
      ...{ target: waitingFor, operation: operationOf(status, waitingFor), sentence: message },
      reason: first.reason === '' ? '' : reasonFor(status, waitingFor, first.reason),
    })),
  ];
}

/** The condition's reason is that of what the sentence is about; whoever fails beside it has its own. */
function reasonFor(status: Status, target: string, reason: string): string {
  const { lastError = '' } = branchesOf(status).find(({ name }) => name === target) ?? {};
  if (lastError.startsWith(REFUSED)) return status.decision === 'Cancel' ? 'CancelRefused' : 'ConfirmRefused';
  if (lastError.startsWith(NOT_CALLED)) return reason === 'PayloadTooLarge' ? reason : 'EndpointForbidden';
  const isRefused = messagesOf(status).some(({ name, state }) => name === target && state === 'Refused');
  return isRefused ? 'MessageRefused' : 'TakingTooLong';
}

/** Whether it waits for this participant or message, alone or among others. */
export function waitsFor(transaction: OrderTransaction, target: string): boolean {
  const { status = {} } = transaction;
  if (isFinal(status.phase)) return false;
  return status.waitingFor === target || ailmentsOf(transaction).some((each) => each.target === target);
}

/** What its sentence is about; undefined where nothing is wrong, or nothing that is not somebody's decision. */
export function ailmentOf({ metadata, spec, status = {} }: OrderTransaction): Ailment | undefined {
  if (isFinal(status.phase)) return undefined;
  const isStuck = conditionIsTrue(status, 'Stuck');
  const isFailing = Boolean(status.waitingFor) && !isAboutHold(status.message);
  if (!isStuck && !isFailing) return undefined;
  const stuck = isStuck ? findCondition(status, 'Stuck') : undefined;
  const target = stuck?.reason === 'FlowNotFound' ? '' : status.waitingFor || firstOpen(status);
  return {
    namespace: metadata.namespace ?? '',
    flow: spec.flow,
    target,
    operation: operationOf(status, target),
    sentence: (isAboutHold(status.message) ? stuck?.message : status.message) || stuck?.message || '',
    reason: stuck?.reason ?? '',
    isSuspended: spec.suspend,
  };
}

type Status = NonNullable<OrderTransaction['status']>;

/** As the controller's own sentence names it where nothing has an error. */
function firstOpen(status: Status): string {
  const branch = branchesOf(status).find((each) => branchIsOpen(each, status.decision));
  return (branch ?? messagesOf(status).find(messageIsOpen))?.name ?? '';
}

function operationOf(status: Status, target: string): string {
  if (target === '') return '';
  return branchesOf(status).some(({ name }) => name === target) ? operationFor(status.decision) : 'deliver';
}

/** The oldest first. */
export function incidentsOf(transactions: Iterable<Suffering>): readonly Incident[] {
  const groups = new Map<string, Group>();
  for (const [sufferer, ailment] of transactions) {
    const id = idOf(ailment);
    const group = groups.get(id) ?? { ids: [id], ailment, sufferers: [], stuck: 0 };
    const isStuck = ailment.reason !== '';
    groups.set(id, {
      ids: group.ids,
      ailment: isStuck ? ailment : group.ailment,
      sufferers: group.sufferers,
      stuck: group.stuck + (isStuck ? 1 : 0),
    });
    group.sufferers.push(sufferer);
  }
  return joinedWhereNobodyIsAnswered([...groups.values()])
    .map(({ ids, ailment, sufferers, stuck }) => {
      const sorted = sufferers.toSorted((one, other) => one.createdMs - other.createdMs);
      const oldestMs = sorted[0]?.createdMs ?? 0;
      return { ...ailment, id: idOf(ailment), ids, stuck, transactions: sorted, oldestMs };
    })
    .toSorted((one, other) => one.oldestMs - other.oldestMs || one.id.localeCompare(other.id));
}

interface Group {
  readonly ids: readonly string[];
  readonly ailment: Ailment;
  readonly sufferers: Sufferer[];
  readonly stuck: number;
}

/** The words of the most who have an answer of their own are those of all. */
function joinedWhereNobodyIsAnswered(groups: readonly Group[]): readonly Group[] {
  const byPlace = Map.groupBy(groups, ({ ailment }) => placeOf(ailment));
  return [...byPlace.values()].flatMap((there) => {
    if (!there.some(({ ailment }) => isTurnAwaited(ailment))) return there;
    const [same, others] = [there.filter(isWithoutAnswer), there.filter((group) => !isWithoutAnswer(group))];
    const spokesmen = same.filter(({ ailment }) => !isTurnAwaited(ailment));
    const [spokesman] = (spokesmen.length > 0 ? spokesmen : same).toSorted(
      (one, other) =>
        other.sufferers.length - one.sufferers.length || idOf(one.ailment).localeCompare(idOf(other.ailment)),
    );
    if (spokesman === undefined) return others;
    const joined = {
      ids: same.flatMap(({ ids }) => ids),
      ailment: spokesman.ailment,
      sufferers: same.flatMap(({ sufferers }) => sufferers),
      stuck: same.reduce((sum, { stuck }) => sum + stuck, 0),
    };
    return [joined, ...others];
  });
}

function placeOf({ namespace, flow, target, operation, isSuspended }: Ailment): string {
  return JSON.stringify([namespace, flow, target, operation, isSuspended]);
}

function isTurnAwaited({ sentence }: Ailment): boolean {
  return sentence.includes(ANSWERS_NOBODY);
}

/** A refusal, and what is never sent, are causes of their own. */
function isWithoutAnswer({ ailment: { sentence } }: Group): boolean {
  return !sentence.includes(`: ${REFUSED}`) && !sentence.includes(`: ${NOT_CALLED}`);
}

/** Those of these transactions that the incident of this id holds up, whichever of its words it is called by. */
export function ofIncident<T extends { readonly transaction: OrderTransaction }>(
  incident: string,
  found: readonly T[],
): readonly T[] {
  const ailing = found.map((each) => ({ each, sufferings: sufferingsOf(each.transaction) ?? [] }));
  const incidents = incidentsOf(ailing.flatMap(({ sufferings }) => sufferings));
  const ids = incidents.find((one) => one.ids.includes(incident))?.ids ?? [];
  return ailing
    .filter(({ sufferings }) => sufferings.some(([, ailment]) => ids.includes(idOf(ailment))))
    .map(({ each }) => each);
}

/** The reason is not part of it: what only fails now is Stuck a minute later, by the same cause. */
export function idOf({ namespace, flow, target, operation, sentence, isSuspended }: Ailment): string {
  const text = JSON.stringify([namespace, flow, target, operation, sentence, isSuspended]);
  return createHash('sha256').update(text).digest('hex').slice(0, ID_CHARS);
}

/** Enough for as many causes as there will ever be at once, and short enough to be typed. */
const ID_CHARS = 8;

export function isIncidentId(text: string): boolean {
  return text.length === ID_CHARS && /^[0-9a-f]*$/.test(text);
}

export function suffererOf({ metadata, spec }: OrderTransaction): Sufferer {
  return { name: metadata.name, orderId: spec.orderId, createdMs: Date.parse(metadata.creationTimestamp ?? '') || 0 };
}

/**
 * What a person does about it, in one sentence with a command where there is one.
 *
 * @param stream of the message that it waits for, where the flow could be read
 */
export function nextStepFor(ailment: Ailment, stream?: string): string {
  const { flow, target, operation, sentence, reason, isSuspended } = ailment;
  if (isSuspended) return 'suspended: resume it once it may go on';
  if (sentence.includes(BROKER_AWAY)) return 'mend Redis; what waits is published by itself then';
  if (sentence.includes(HOST_UNKNOWN))
    return `correct the endpoint of ${target} in the flow ${flow}; it counts at once`;
  const consumer = `the consumer of ${target}${stream === undefined ? '' : ` (the service that reads the stream ${stream})`}`;
  switch (reason) {
    case 'FlowNotFound':
      return `create the TransactionFlow ${flow} again, with all its participants and messages`;
    case 'EndpointForbidden':
      return `correct the endpoint of ${target} in the flow ${flow}, or have the controller allow it (--allow-endpoints)`;
    case 'PayloadTooLarge':
      return operation === 'try' ? 'cancel it: no service will ever be sent it' : `settle ${target} by hand`;
    case 'ConfirmedBefore':
      return 'see docs/operating/etcd-restored.md: a participant has confirmed it before';
    case 'ConfirmRefused':
    case 'CancelRefused':
      // The alarm stays while whoever refused gives no answer; then the sentence may be about another, who has refused nothing.
      return sentence.includes(REFUSED)
        ? `make ${target} agree (its service's settle command), then settle it here`
        : `mend ${target}, then retry; one that refused before has to be made to agree`;
    case 'MessageRefused':
      return `mend what ${consumer} refuses, then retry`;
    default:
      return operation === 'deliver' ? `mend ${consumer}, then retry` : `mend ${target || flow}, then retry`;
  }
}
