/**
 * Who is in a statement's way: seen from another connection while it waits, because afterwards nothing tells.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';

export interface Held {
  /** `table payments`, or what else Postgres locks. */
  readonly what: string;
  readonly by: readonly {
    readonly pid: number;
    /** '' where it has not said. */
    readonly application: string;
    /** When its transaction began (ISO 8601); null where this user may not see it. */
    readonly since: string | null;
  }[];
}

const CONNECT_TIMEOUT_MS = 2_000;

/** `pg_blocking_pids` holds every lock for a moment, so it is asked only of a statement that waits. */
const LOOK = `
select
  case when waiting.relation is null then waiting.locktype else 'table ' || waiting.relation::regclass::text end as what,
  (
    select jsonb_agg(jsonb_build_object('pid', pid, 'application', coalesce(application_name, ''), 'since', xact_start) order by pid)
    from pg_stat_activity
    where pid = any (pg_blocking_pids($1))
  ) as by
from pg_locks as waiting
where waiting.pid = $1
  and not waiting.granted
limit 1`;

/** By what it was held up, and how a person ends that, for the end of a sentence and the beginning of the next. */
export function inTheWay({ by }: Held): { readonly who: string; readonly ending: string } {
  const who = by.map(({ pid, application, since }) => {
    const called = application === '' ? '' : ` (${application})`;
    return `process ${pid}${called}${since === null ? '' : `, whose transaction began ${since}`}`;
  });
  return { who: who.join(' and '), ending: by.map(({ pid }) => `select pg_terminate_backend(${pid})`).join('; ') };
}

export interface LockWatchOptions {
  readonly connectionString: string;
  /** The session that is watched. */
  readonly pid: number;
  readonly everyMs: number;
  /** At each look; undefined where it does not wait for anybody. `client` is free for more questions. */
  readonly onLook: (held: Held | undefined, client: Client) => void | Promise<void>;
}

/** Watches until closed. A watch that fails tells nothing and harms nothing. */
export function startLockWatch({ connectionString, pid, everyMs, onLook }: LockWatchOptions): {
  close(): Promise<void>;
} {
  const client = new Client({
    connectionString,
    application_name: 'migrate-watch',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  const stop = new AbortController();
  const look = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const { rows } = await client.query<{ readonly what: string; readonly by: Held['by'] | null }>(LOOK, [pid]);
      const [row] = rows;
      await onLook(row?.by == null ? undefined : { what: row.what, by: row.by }, client);
      await delay(everyMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  };
  const watching = client
    .connect()
    .then(look)
    .catch(() => undefined);
  return {
    close: async () => {
      stop.abort();
      await watching;
      await client.end().catch(() => undefined);
    },
  };
}
