/**
 * Which transactions an act is for: named one by one, by what they have in common, or all of them.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { NEEDS_WORK_SELECTOR, pathOf, TRANSACTIONS } from '../src/kubernetes/stored-object.ts';
import { isIncidentId, ofIncident } from './incident.ts';
import { flowsIfReadable, noIncident, requireKnown } from './reach.ts';
import { addFilterFlags, isNarrowed, picksOf, selectorsOf, type Filter } from './selection.ts';
import { joined, type Session } from './session.ts';
import { Trouble, usage } from './trouble.ts';

export interface TargetFlags extends Filter {
  readonly all?: boolean;
}

const SELECTING = '--incident, --stuck, --flow, --target, --older-than, -l, --field-selector';

export interface Targets {
  readonly found: readonly OrderTransaction[];
  /** Names that the API server has nothing under. */
  readonly missing: readonly string[];
}

interface Chosen {
  readonly transaction: OrderTransaction;
}

export function addTargetFlags(command: Command): Command {
  return addFilterFlags(
    command.argument('[names...]', 'transactions by name').option('--all', 'all that are unfinished'),
  );
}

export async function targetsOf(session: Session, names: readonly string[], flags: TargetFlags): Promise<Targets> {
  const { selectors } = session;
  const isSelected = isNarrowed(flags) || Boolean(selectors.fieldSelector ?? selectors.labelSelector);
  if (names.length > 0 && (isSelected || flags.all === true)) {
    throw usage(`transactions by name and a selection (${SELECTING}, --all) exclude each other: leave one out`);
  }
  if (names.length === 0 && !isSelected && flags.all !== true) {
    throw usage(`name transactions, or choose them (${SELECTING}), or take --all`);
  }
  if (names.length > 0) return named(session, names);
  const { each, among } = picksOf(flags, session);
  const chosen = selectorsOf(session, flags);
  const fieldSelector = joined(chosen.fieldSelector, NEEDS_WORK_SELECTOR);
  const found = await session.api.transactions(session.namespace, { ...chosen, fieldSelector }, (transaction) =>
    each(transaction) ? { transaction: withoutPayload(transaction) } : undefined,
  );
  const meant = among(found).map(({ transaction }) => transaction);
  if (meant.length === 0) await refuseUnknown(session, flags, found);
  return { found: meant, missing: [] };
}

/** Nothing was chosen: where the selection names what is not there, that is no success of the act. */
async function refuseUnknown(session: Session, flags: TargetFlags, found: readonly Chosen[]): Promise<void> {
  const { incident, flow, target } = flags;
  if (flow !== undefined || target !== undefined) await requireKnown(session, flags, await flowsIfReadable(session));
  if (incident === undefined || ofIncident(incident, found).length > 0) return;
  // What was mended is mostly over before anybody retries it, and that is no failure; what is no id never was one.
  if (!isIncidentId(incident)) throw new Trouble(noIncident(session, flags));
  session.terminal.say(`Nothing is left to do: ${noIncident(session, flags)}`);
}

async function named(session: Session, names: readonly string[]): Promise<Targets> {
  const { namespace } = session;
  if (namespace === undefined) throw usage('names are of one namespace: name it with -n instead of -A');
  // As `list -o name` prints them.
  const bare = [...new Set(names.map((name) => name.replace(/^(otx|ordertransactions?)(\.ordertx\.dev)?\//, '')))];
  const looked = await Promise.all(
    bare.map(async (name) => session.api.find<OrderTransaction>(pathOf(TRANSACTIONS, namespace, name))),
  );
  return {
    found: looked.filter((transaction) => transaction !== undefined),
    missing: bare.filter((_, index) => looked[index] === undefined),
  };
}

/** Ten thousand payloads need not be in memory for an act. */
function withoutPayload({ spec, ...rest }: OrderTransaction): OrderTransaction {
  return { ...rest, spec: { ...spec, payload: {} } };
}
