/**
 * A service's branches twice over, each on a database of its own: as they are, and without what they usually come to, so that every call
 * goes step by step. Called alike, they have to answer alike and leave the same.
 */
import type { Pool } from 'pg';
import { freshDatabase } from '../../../tests/world/world.ts';
import { parseTransaction, type Operation } from '../../protocol/src/index.ts';
import { createPool, migrate, type AnyBranch, type UsualCase } from '../src/index.ts';
import { canonical } from '../src/participant/digest.ts';
import type { FenceCall } from '../src/participant/fence-call.ts';
import { passFence } from '../src/participant/fence.ts';
import { memoryLog } from './memory-log.ts';

export interface BranchCall {
  readonly operation: Operation;
  readonly path: string;
  /** `<namespace>/<name>`. */
  readonly transaction: string;
  readonly payload: unknown;
}

/** For how long calls in random order are tried at most. Not by fast-check's own limit: what that interrupts goes on beside the next test. */
export const RANDOM_CALLS_MS = 10_000;

interface Way {
  readonly pool: Pool;
  readonly branches: readonly AnyBranch[];
  readonly close: () => Promise<void>;
}

export class BothWays {
  /** Calls that were the usual case and done so. */
  usual = 0;
  readonly #ways: readonly Way[];
  readonly #tables: readonly string[];

  private constructor(ways: readonly Way[], tables: readonly string[], counted: { count: () => void }) {
    this.#ways = ways;
    this.#tables = tables;
    counted.count = () => void (this.usual += 1);
  }

  /** @param tables of the service, which has its own fence beside them */
  static async open(migrations: URL, branches: readonly AnyBranch[], tables: readonly string[]): Promise<BothWays> {
    const counted = { count: (): void => undefined };
    const asTheyAre = branches.map((branch) => ({
      ...branch,
      usual: {
        try: (call) => counting(branch.usual?.try?.(call), () => counted.count()),
        confirm: (call) => counting(branch.usual?.confirm?.(call), () => counted.count()),
      },
    })) satisfies readonly AnyBranch[];
    const stepByStep = branches.map(({ usual: _, ...branch }): AnyBranch => branch);
    const ways = await Promise.all([asTheyAre, stepByStep].map((each) => openWay(migrations, each)));
    return new BothWays(ways, ['ordertx_fence', ...tables], counted);
  }

  async begin(): Promise<void> {
    await this.each((pool) => pool.query(`truncate ${this.#tables.join(', ')}`));
  }

  /** What both have come to, the one with its usual cases first. */
  each<T>(work: (pool: Pool) => Promise<T>): Promise<readonly T[]> {
    return Promise.all(this.#ways.map(({ pool }) => work(pool)));
  }

  /** The answers, or what was thrown. */
  call({ operation, path, transaction: named, payload }: BranchCall): Promise<readonly unknown[]> {
    const transaction = parseTransaction(named);
    const form = canonical(payload);
    if (transaction === undefined || form === undefined) throw new Error(`${named} cannot be called with this`);
    const about = { transaction, attempt: 1, reason: 'AllTried', detail: '', body: payload };
    const call: FenceCall = { ...about, operation, canonical: form, inexact: undefined };
    return Promise.all(
      this.#ways.map(async ({ pool, branches }) => {
        const branch = branches.find((each) => each.path === path);
        if (branch === undefined) throw new Error(`there is no branch at ${path}`);
        return passFence(pool, branch, call).catch((error: unknown) => (error as Error).message);
      }),
    );
  }

  /** All rows, without when they were written. */
  rows(): Promise<readonly unknown[]> {
    return this.each(async (pool) => {
      const tables = [];
      for (const table of this.#tables)
        tables.push(
          (await pool.query(`select to_jsonb(t) - $1::text[] as row from ${table} as t order by 1`, [TIMES])).rows,
        );
      return tables;
    });
  }

  async close(): Promise<void> {
    for (const { close } of this.#ways) await close();
  }
}

const TIMES = ['created_at', 'changed_at', 'status_since', 'close_at', 'at', 'ended_at', 'due_at', 'step', 'last_at'];

function counting(usual: UsualCase | undefined, count: () => void): UsualCase | undefined {
  if (usual === undefined) return undefined;
  return {
    async run(pool, claim) {
      const isDone = await usual.run(pool, claim);
      if (isDone) count();
      return isDone;
    },
  };
}

async function openWay(migrations: URL, branches: readonly AnyBranch[]): Promise<Way> {
  const { url: connectionString, drop } = await freshDatabase('both-ways');
  const { log } = memoryLog();
  await migrate({ connectionString, folder: migrations, log });
  const pool = createPool({ connectionString, applicationName: 'both-ways', log });
  const close = async (): Promise<void> => {
    await pool.end();
    await drop();
  };
  return { pool, branches, close };
}
