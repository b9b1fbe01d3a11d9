/**
 * How far the clock of this machine is ahead of the database's, by half of the way there and back (Cristian's algorithm).
 */
import type { Pool } from 'pg';

/** In seconds; negative where it is behind. The wait for a connection does not count. */
export async function databaseSkewSeconds(pool: Pool): Promise<number> {
  const client = await pool.connect();
  try {
    const askedMs = Date.now();
    const { rows } = await client.query<{ readonly now_ms: number }>(
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms',
    );
    const answeredMs = Date.now();
    return ((askedMs + answeredMs) / 2 - (rows[0]?.now_ms ?? answeredMs)) / 1000;
  } finally {
    client.release();
  }
}
