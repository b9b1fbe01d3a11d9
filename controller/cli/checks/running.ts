/**
 * What has to run: controllers that are ready and reach Redis, and the archive where there is one. Their Leases are leases.ts'.
 */
import type { Session } from '../session.ts';
import type { Finding } from './finding.ts';
import { readVersions } from '../verbs/version.ts';

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
          'the API server does not remove what has ended',
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
