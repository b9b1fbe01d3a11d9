/**
 * A service's database connections, divided by who needs them.
 *
 * One pool for all is what a flood takes whole: then the controller's calls, messages and even readiness wait behind customers, and a
 * service that only has much to do looks dead. Each pool is a limit on its own kind.
 */
import type { Pool } from 'pg';
import type { Log } from '../log.ts';
import { BadSettings } from '../settings.ts';
import { createPool } from './pool.ts';

export interface PoolSizes {
  readonly poolPublic: number;
  readonly poolCalls: number;
  readonly poolBackground: number;
}

export interface Pools {
  /** For routes: nothing is begun for a caller who has gone. */
  readonly public: Pool;
  /** For the controller's calls. */
  readonly calls: Pool;
  /** For messages, relays, cleaning and metrics. */
  readonly background: Pool;
  /** For /readyz alone. */
  readonly readiness: Pool;
  /** By name, for the metrics. */
  readonly all: Readonly<Record<string, Pool>>;
  end(): Promise<void>;
}

export interface PoolsOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  readonly sizes: PoolSizes;
  readonly log: Log;
}

const READINESS_CONNECTIONS = 1;

/** Rejects with BadSettings when the server would never let that many in. */
export async function createPools({ sizes, ...options }: PoolsOptions): Promise<Pools> {
  const { poolPublic, poolCalls, poolBackground } = sizes;
  const pools = {
    public: createPool({ ...options, connectionsMax: poolPublic, onlyForWaitingCallers: true }),
    calls: createPool({ ...options, connectionsMax: poolCalls, onlyForWaitingCallers: true }),
    background: createPool({ ...options, connectionsMax: poolBackground }),
    readiness: createPool({ ...options, connectionsMax: READINESS_CONNECTIONS }),
  };
  const end = async (): Promise<void> => {
    await Promise.all(Object.values(pools).map((pool) => pool.end()));
  };
  try {
    await checkRoom(pools.background, poolPublic + poolCalls + poolBackground + READINESS_CONNECTIONS);
  } catch (error) {
    await end();
    throw error;
  }
  return { ...pools, all: pools, end };
}

async function checkRoom(pool: Pool, wanted: number): Promise<void> {
  const { rows } = await pool.query<{ readonly room: number }>(
    `select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer as room`,
  );
  const room = rows[0]?.room ?? 0;
  if (wanted <= room) return;
  const message = `makes up to ${wanted} connections with DATABASE_POOL_CALLS and DATABASE_POOL_BACKGROUND, and the database takes ${room}: make them smaller, or its max_connections larger`;
  throw new BadSettings([{ name: 'DATABASE_POOL_PUBLIC', message }]);
}
