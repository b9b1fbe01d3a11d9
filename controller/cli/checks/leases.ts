/**
 * The Leases of controllers: whether somebody holds each.
 *
 * Each installation's are judged by themselves: one that nobody works for is not well because another one in its namespace is. What other
 * software has there is left out, whatever it is called.
 */
import { installationOf } from '../../src/kubernetes/lease-names.ts';
import { LEASES, type ObjectList, type StoredObject } from '../../src/kubernetes/stored-object.ts';
import { collectionOf } from '../api.ts';
import { shortAge } from '../durations.ts';
import { explainRefusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import type { Finding } from './finding.ts';

interface Lease extends StoredObject {
  readonly spec: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
}

interface Installation {
  readonly namespace: string;
  /** What its Leases' names begin with. */
  readonly prefix: string;
  /** Whether they say whose they are. Those of controllers of before Leases were named by the installation do not. */
  readonly isMarked: boolean;
  readonly leases: readonly Lease[];
}

/** So many times its duration a Lease was not renewed before nobody is believed to be there. */
const GIVEN_UP_AFTER = 3;

export async function checkLeases(session: Session): Promise<readonly Finding[]> {
  const what = 'Leases';
  const request = { method: 'GET', path: collectionOf(LEASES, session.namespace) } as const;
  const answer = await session.api.ask<ObjectList<Lease>>(request);
  if (answer.kind === 'error') return [{ what, state: 'unknown', sentence: explainRefusal(request, answer.error) }];
  if (answer.kind === 'unanswered') return [{ what, state: 'unknown', sentence: answer.message }];
  const found = installationsIn(answer.body.items);
  if (found.length === 0) {
    const where = session.namespace === undefined ? 'in any namespace' : 'in this namespace';
    const sentence = `no controller has one ${where}: none runs here, or ORDERTX_LEADER_ELECTION is off`;
    return [{ what, state: 'warning', sentence }];
  }
  return found.flatMap((installation) =>
    installation.leases.map((lease): Finding => {
      const inAll = session.namespace === undefined ? `${installation.namespace}/` : '';
      return { what: `Lease ${inAll}${lease.metadata.name}`, ...judged(lease, installation, found, session.now()) };
    }),
  );
}

function judged(
  { spec }: Lease,
  installation: Installation,
  all: readonly Installation[],
  nowMs: number,
): Omit<Finding, 'what'> {
  const ageMs = nowMs - Date.parse(spec.renewTime ?? '');
  if (spec.holderIdentity && ageMs < (spec.leaseDurationSeconds ?? 0) * 1_000)
    return { state: 'ok', sentence: `held by ${spec.holderIdentity}` };
  const sentence = `nobody has renewed it for ${shortAge(ageMs)}`;
  if (isLeftOver(installation, all, nowMs)) {
    return { state: 'warning', sentence: `${sentence}: it is of an older controller, and may be deleted` };
  }
  if (all.length === 1) return { state: 'wrong', sentence: `${sentence}: is a controller running?` };
  const { prefix } = installation;
  return {
    state: 'wrong',
    sentence: `${sentence}: is a controller of ${prefix} running? Where ${prefix} is gone for good, delete its Leases`,
  };
}

/**
 * Of which installations no Lease is held, by name: then nothing that is stored says what fails. All of them are `every`. An API server
 * that takes seconds for each renewal is no such thing. Where Leases cannot be read or are not there: none.
 */
export async function installationsWithoutHolder(session: Session): Promise<'every' | readonly string[]> {
  const answer = await session.api.ask<ObjectList<Lease>>({
    method: 'GET',
    path: collectionOf(LEASES, session.namespace),
  });
  if (answer.kind !== 'ok') return [];
  const nowMs = session.now();
  const all = installationsIn(answer.body.items);
  const without = all.filter((each) => isGivenUp(each, nowMs) && !isLeftOver(each, all, nowMs));
  if (without.length > 0 && without.length === all.length) return 'every';
  return without.map(({ namespace, prefix }) => (session.namespace === undefined ? `${namespace}/${prefix}` : prefix));
}

/** By namespace and name. */
function installationsIn(leases: readonly Lease[]): readonly Installation[] {
  const found = new Map<string, Installation>();
  for (const lease of leases) {
    const whose = installationOf(lease.metadata);
    if (whose === undefined) continue;
    const { namespace = '' } = lease.metadata;
    const key = `${namespace}/${whose.prefix}`;
    const known = found.get(key);
    const isMarked = whose.isMarked || (known?.isMarked ?? false);
    found.set(key, { namespace, prefix: whose.prefix, isMarked, leases: [...(known?.leases ?? []), lease] });
  }
  return [...found].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, installation]) => installation);
}

/** Nobody holds any of its Leases, for longer than a slow API server explains. */
function isGivenUp({ leases }: Installation, nowMs: number): boolean {
  return leases.every(
    ({ spec: { holderIdentity, renewTime, leaseDurationSeconds = 0 } }) =>
      !holderIdentity || nowMs - Date.parse(renewTime ?? '') > GIVEN_UP_AFTER * leaseDurationSeconds * 1_000,
  );
}

/** Given up by controllers of before, where newer ones work: by an upgrade their Leases have got other names. */
function isLeftOver(installation: Installation, all: readonly Installation[], nowMs: number): boolean {
  return (
    !installation.isMarked &&
    isGivenUp(installation, nowMs) &&
    all.some((each) => each.namespace === installation.namespace && each.isMarked && !isGivenUp(each, nowMs))
  );
}
