/**
 * Whose CPU time a transaction costs, and whose memory. On a busy machine the clock measures the neighbours; this does not.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { StackDescription } from '../../local/stack.ts';

/** The unit of /proc's times: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** The part that is not the system's: the process that loads it. */
export const CUSTOMERS = 'customers';

/** Milliseconds of CPU time by part, since each was started. Empty where there is no /proc. */
export type CpuTimes = Readonly<Record<string, number>>;

interface ProcessStat {
  readonly parent: number;
  /** Its own, user and system. */
  readonly ownMs: number;
  /** Of children that have ended. */
  readonly endedChildrenMs: number;
}

export function cpuTimes(stack: StackDescription): CpuTimes {
  const stats = readStats();
  if (stats.size === 0) return {};
  const times: Record<string, number> = {};
  for (const [name, pid] of partsOf(stack)) times[name] = (times[name] ?? 0) + timeOf(pid, stats);
  return times;
}

/** Each part's memory now, with its children's; what processes share counts once. */
export function memoryMiB(stack: StackDescription): Readonly<Record<string, number>> {
  const stats = readStats();
  const used: Record<string, number> = {};
  for (const [name, pid] of stats.size === 0 ? [] : partsOf(stack)) {
    const children = [...stats].flatMap(([child, { parent }]) => (parent === pid ? [child] : []));
    for (const each of [pid, ...children]) used[name] = (used[name] ?? 0) + shareOfMemoryMiB(each);
  }
  return used;
}

/** proc_pid_smaps(5): its proportional set size, of which shared pages are divided among those that share them. */
function shareOfMemoryMiB(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

function partsOf(stack: StackDescription): readonly (readonly [name: string, pid: number])[] {
  return [
    ['apiserver', stack.apiserver.pid],
    ['etcd', stack.etcd.pid],
    ['postgres', stack.postgres.pid],
    ...(stack.redis.pid === null ? [] : [['redis', stack.redis.pid] as const]),
    ...stack.controllers.map(({ pid }) => ['controller', pid] as const),
    ...Object.entries(stack.services).map(([name, { pid }]) => [name, pid] as const),
    [CUSTOMERS, process.pid],
  ];
}

/** What was spent between the two, for each of so many transactions. */
export function cpuPerTransaction(before: CpuTimes, after: CpuTimes, transactions: number): CpuTimes {
  return Object.fromEntries(
    Object.entries(after).map(([name, ms]) => [name, (ms - (before[name] ?? 0)) / transactions] as const),
  );
}

/** Of one process, user and system, since it was started; 0 where there is no /proc. */
export function cpuMsOf(pid: number): number {
  return readStats().get(pid)?.ownMs ?? 0;
}

/** With its children: Postgres works in one process for each connection. */
function timeOf(pid: number, stats: ReadonlyMap<number, ProcessStat>): number {
  const own = stats.get(pid);
  const children = [...stats.values()].filter(({ parent }) => parent === pid);
  return (own?.ownMs ?? 0) + (own?.endedChildrenMs ?? 0) + children.reduce((sum, { ownMs }) => sum + ownMs, 0);
}

function readStats(): ReadonlyMap<number, ProcessStat> {
  const stats = new Map<number, ProcessStat>();
  if (process.platform !== 'linux') return stats;
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      stats.set(pid, parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')));
    } catch {
      // It has ended since the folder was listed.
    }
  }
  return stats;
}

/** proc_pid_stat(5). The program's name is the second field and may hold anything, so what follows is found from its end. */
function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const milliseconds = (field: number) => (Number(fields[field - 3]) * 1_000) / TICKS_PER_SECOND;
  return {
    parent: Number(fields[1]),
    ownMs: milliseconds(14) + milliseconds(15),
    endedChildrenMs: milliseconds(16) + milliseconds(17),
  };
}
