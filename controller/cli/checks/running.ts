/**
 * What has to run: controllers that hold their Leases and reach Redis, and the archive where there is one.
 */
import { LEASES, type ObjectList, type StoredObject } from '../../src/kubernetes/stored-object.ts';
import { collectionOf } from '../api.ts';
import { shortAge } from '../durations.ts';
import { explainRefusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import type { Finding } from './finding.ts';
import { readVersions } from '../verbs/version.ts';

interface Lease extends StoredObject {
  readonly spec: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
}

const SHARD = 'ordertx-shard-';
/** So many times its duration a Lease was not renewed before nobody is believed to be there. */
const GIVEN_UP_AFTER = 3;

export async function checkLeases(session: Session): Promise<readonly Finding[]> {
  const what = 'Leases';
  const request = { method: 'GET', path: collectionOf(LEASES, session.namespace) } as const;
  const answer = await session.api.ask<ObjectList<Lease>>(request);
  if (answer.kind === 'error') return [{ what, state: 'unknown', sentence: explainRefusal(request, answer.error) }];
  if (answer.kind === 'unanswered') return [{ what, state: 'unknown', sentence: answer.message }];
  const leases = answer.body.items.filter(({ metadata }) => metadata.name.startsWith(SHARD));
  if (leases.length === 0) {
    const sentence = 'no controller has one in this namespace: none runs here, or ORDERTX_LEADER_ELECTION is off';
    return [{ what, state: 'warning', sentence }];
  }
  return leases.map(({ metadata, spec }): Finding => {
    const name = `Lease ${metadata.name}`;
    const ageMs = session.now() - Date.parse(spec.renewTime ?? '');
    const isHeld = Boolean(spec.holderIdentity) && ageMs < (spec.leaseDurationSeconds ?? 0) * 1_000;
    return isHeld
      ? { what: name, state: 'ok', sentence: `held by ${spec.holderIdentity ?? ''}` }
      : {
          what: name,
          state: 'wrong',
          sentence: `nobody has renewed it for ${shortAge(ageMs)}: is a controller running?`,
        };
  });
}

/**
 * Whether Leases can be read, are there, and nobody holds any: then nothing that is stored says what fails. An API server that takes
 * seconds for each renewal is no such thing.
 */
export async function isNobodyHoldingLeases(session: Session): Promise<boolean> {
  const answer = await session.api.ask<ObjectList<Lease>>({
    method: 'GET',
    path: collectionOf(LEASES, session.namespace),
  });
  if (answer.kind !== 'ok') return false;
  const leases = answer.body.items.filter(({ metadata }) => metadata.name.startsWith(SHARD));
  return leases.length > 0 && leases.every(({ spec }) => isGivenUp(spec, session.now()));
}

function isGivenUp({ holderIdentity, renewTime, leaseDurationSeconds = 0 }: Lease['spec'], nowMs: number): boolean {
  return !holderIdentity || nowMs - Date.parse(renewTime ?? '') > GIVEN_UP_AFTER * leaseDurationSeconds * 1_000;
}

export async function checkControllers(session: Session): Promise<readonly Finding[]> {
  const { controllers } = session;
  if (!controllers.areNamed) {
    const sentence = 'not asked: name their ports with --controller or ORDERTX_CONTROLLER_URL';
    return [
      { what: 'controllers', state: 'unknown', sentence },
      { what: 'Redis', state: 'unknown', sentence: 'only controllers can say' },
    ];
  }
  const [versions, ready, metrics] = await Promise.all([
    readVersions(session),
    controllers.readiness(),
    controllers.metrics(),
  ]);
  return [
    ...ready.map((each): Finding =>
      each.kind === 'heard'
        ? { what: `controller ${each.where}`, state: 'ok', sentence: 'ready' }
        : { what: `controller ${each.where}`, state: 'wrong', sentence: each.message },
    ),
    ...versions.warnings.map((sentence): Finding => ({ what: 'versions', state: 'warning', sentence })),
    ...metrics.flatMap((each): readonly Finding[] => {
      if (each.kind !== 'heard')
        return [{ what: `Redis from ${each.where}`, state: 'unknown', sentence: each.message }];
      return [
        gauge(each.body, 'ordertx_redis_up', 1, `Redis from ${each.where}`, 'it does not answer that controller'),
        archiveOf(each),
        gauge(
          each.body,
          'ordertx_removal_failing',
          0,
          `removal by ${each.where}`,
          'ended transactions cannot be removed',
        ),
      ];
    }),
  ];
}

/** Without an archive it would be no news that nothing fails there. */
function archiveOf({ body, where }: { readonly body: string; readonly where: string }): Finding {
  const what = `archive from ${where}`;
  const found = gauge(body, 'ordertx_archive_failing', 0, what, 'it does not take what is to be removed');
  if (found.state !== 'unknown' || !body.includes('ordertx_redis_up')) return found;
  return { what, state: 'ok', sentence: 'that controller has none: what has ended and is removed is kept nowhere' };
}

function gauge(text: string, name: string, well: number, what: string, trouble: string): Finding {
  const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1];
  if (value === undefined) return { what, state: 'unknown', sentence: `that controller has no metric ${name}` };
  return Number(value) === well ? { what, state: 'ok', sentence: '' } : { what, state: 'wrong', sentence: trouble };
}

export async function checkArchive(session: Session): Promise<readonly Finding[]> {
  const what = 'archive from here';
  const found = await session.archive.list({ namespace: session.namespace ?? 'default' }, 1);
  switch (found.kind) {
    case 'found':
      return [{ what, state: 'ok', sentence: 'it can be read' }];
    case 'unnamed':
      return [{ what, state: 'unknown', sentence: 'not asked: set ARCHIVE_DATABASE_URL or --archive-database-url' }];
    case 'unreachable':
      return [{ what, state: 'wrong', sentence: found.message }];
  }
}
