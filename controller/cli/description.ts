/**
 * A transaction as people read it: what it is, its timeline, its branches and messages, what people did, what comes next.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { RETRY_ANNOTATION } from '../src/transaction/requests.ts';
import { branchesOf, isFinal, messagesOf, phaseOf } from '../src/transaction/phase.ts';
import type { Happening } from './events.ts';
import { printable } from './output/printable.ts';
import { table } from './output/table.ts';

export interface Told {
  readonly transaction: OrderTransaction;
  readonly isArchived: boolean;
  readonly events: readonly Happening[];
  readonly next: readonly string[];
}

const ABANDON_ANNOTATION = 'ordertx.dev/abandon';

export function describeTransaction({ transaction, isArchived, events, next }: Told): string {
  const { metadata, spec, status = {} } = transaction;
  const conditions = (status.conditions ?? []).map(
    ({ type, status: value, reason, message }) => `${type}=${value} (${reason})${message ? `: ${message}` : ''}`,
  );
  const facts: readonly (readonly [string, string])[] = [
    ['Name:', metadata.name],
    ['Namespace:', metadata.namespace ?? ''],
    ['Flow:', spec.flow],
    ['Order:', spec.orderId],
    ['Where:', isArchived ? archivedSentence(status) : 'in the API server'],
    ['Phase:', phaseOf(transaction)],
    ['Decision:', status.decision ? `${status.decision} (${status.decisionReason ?? ''})` : 'none yet'],
    ['Waits for:', status.waitingFor || '-'],
    ['Message:', status.message || '-'],
    ...conditions.map((text, index): readonly [string, string] => [index === 0 ? 'Conditions:' : '', text]),
    ...(status.expires ? ([['Expires:', status.expires]] as const) : []),
  ];
  return [
    table([], facts),
    section('Timeline', timelineOf(transaction, events)),
    section('Branches', branchTable(transaction)),
    section('Messages', messageTable(transaction)),
    section('People', peopleTable(transaction)),
    section('Next', next.map((sentence) => `${printable(sentence)}\n`).join('')),
  ].join('');
}

function archivedSentence({ phase }: NonNullable<OrderTransaction['status']>): string {
  return isFinal(phase)
    ? 'in the archive: it has ended and was removed'
    : 'in the archive: it was given up and deleted before its end';
}

function section(title: string, text: string): string {
  if (text === '') return '';
  const lines = text.trimEnd().split('\n');
  return `${title}:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function timelineOf({ metadata, status = {} }: OrderTransaction, events: readonly Happening[]): string {
  const stuck = (status.conditions ?? []).filter(({ type }) => type === 'Stuck' || type === 'Suspended');
  const happenings: readonly Happening[] = [
    { at: metadata.creationTimestamp ?? '', text: 'created' },
    { at: status.startedAt ?? '', text: 'first worked on' },
    { at: status.decidedAt ?? '', text: `decided ${status.decision ?? ''} (${status.decisionReason ?? ''})` },
    { at: status.finishedAt ?? '', text: `ended: ${status.phase ?? ''}` },
    { at: metadata.deletionTimestamp ?? '', text: 'deletion asked for' },
    ...stuck.map(({ type, status: value, reason, lastTransitionTime }) => ({
      at: lastTransitionTime,
      text: value === 'True' ? `${type} since then (${reason})` : `${type} no longer (${reason})`,
    })),
    ...events,
  ];
  const rows = happenings
    .filter(({ at }) => at !== '')
    .toSorted((one, other) => Date.parse(one.at) - Date.parse(other.at))
    .map(({ at, text }) => [at, text]);
  return table([], rows);
}

function branchTable({ status = {} }: OrderTransaction): string {
  const rows = branchesOf(status).map(({ name, state, attempts, lastError, nextAttemptTime, confirmedBefore }) => [
    name,
    confirmedBefore === true ? `${state} (has confirmed it before)` : state,
    String(attempts ?? 0),
    nextAttemptTime ?? '-',
    lastError ?? '-',
  ]);
  return rows.length === 0 ? '' : table(['NAME', 'STATE', 'ATTEMPTS', 'NOT BEFORE', 'LAST ANSWER'], rows);
}

function messageTable({ status = {} }: OrderTransaction): string {
  const rows = messagesOf(status).map(({ name, delivery, state, attempts, lastError, nextAttemptTime }) => [
    name,
    delivery,
    state,
    String(attempts ?? 0),
    nextAttemptTime ?? '-',
    lastError ?? '-',
  ]);
  return rows.length === 0 ? '' : table(['NAME', 'DELIVERY', 'STATE', 'PUBLISHED', 'NOT BEFORE', 'LAST ANSWER'], rows);
}

interface Deed {
  readonly what: string;
  /** Whom the API server knew the caller as; objects from before it wrote that down do not say. */
  readonly by: string | undefined;
  readonly reason: string | undefined;
}

function peopleOf({ spec, metadata }: OrderTransaction): readonly Deed[] {
  const { suspend, suspendedBy, resumedBy, cancelRequested, cancelRequestedBy, resolutions = [] } = spec;
  const notes = metadata.annotations ?? {};
  const deed = (what: string, by: string | undefined, reason: string | undefined): Deed => ({ what, by, reason });
  const retried = notes[RETRY_ANNOTATION];
  return [
    ...(suspend || suspendedBy !== undefined
      ? [deed('suspended', suspendedBy, notes['ordertx.dev/suspend-reason'])]
      : []),
    ...(!suspend && resumedBy !== undefined ? [deed('resumed', resumedBy, notes['ordertx.dev/resume-reason'])] : []),
    ...(cancelRequested
      ? [deed('asked for its cancellation', cancelRequestedBy, notes['ordertx.dev/cancel-reason'])]
      : []),
    ...resolutions.map(({ target, as, reason, by }) => deed(`settled ${target} as ${as}`, by, reason)),
    ...(notes[ABANDON_ANNOTATION]
      ? [deed('gave it up', notes['ordertx.dev/abandoned-by'], notes[ABANDON_ANNOTATION])]
      : []),
    ...(retried === undefined
      ? []
      : [deed(`asked for a retry${timeOfToken(retried)}`, UNSIGNED, notes['ordertx.dev/retry-reason'])]),
  ];
}

/** Whoever may change its annotations may ask, under any name: so none is shown (docs/adr/0038). An audit log knows. */
const UNSIGNED = '(not signed; see the audit log)';

/** Ours begin with the time; other tokens are anything, and tell nobody anything. */
function timeOfToken(token: string): string {
  const time = /^\d{4}-\d\d-\d\dT[\d:.]+Z/.exec(token)?.[0];
  return time === undefined ? '' : ` at ${time}`;
}

function peopleTable(transaction: OrderTransaction): string {
  const rows = peopleOf(transaction).map(({ what, by, reason }) => [what, by ?? '-', reason ?? '-']);
  return rows.length === 0 ? '' : table(['WHAT', 'BY', 'REASON'], rows);
}
