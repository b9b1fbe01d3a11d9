/**
 * Replicas and their shards in one memory: whatever their numbers of shards, and whoever comes and goes, no transaction is
 * without an owner for longer than it takes to notice a death.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { silentLog, type Log } from '../runtime/log.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { LEASE_DURATION_MS } from './lease.ts';
import { failure, MemoryLeases, type AnswersInstead } from './leases-fake.ts';
import { ShardCensus } from './shard-census.ts';
import { Shards } from './shards.ts';
import type { ApiAnswer, ApiRequest } from './transport.ts';

const TRANSACTIONS = Array.from(
  { length: 60 },
  (_, index) => ({ metadata: { namespace: 'shop', name: `create-${index}` } }) as OrderTransaction,
);
/** A death is noticed after a Lease's duration, or half of one more where the Lease cannot be taken, and a round or two. */
const NOTICED_MS = 1.5 * LEASE_DURATION_MS + 5_000;
/** One that dies while it can be taken: its duration, and the look in which its last sign of life was seen. */
const REPLACED_MS = 13_000;
const COUNTS = [1, 2, 3, 4];

class Replicas {
  readonly clock = new ManualClock();
  readonly #leases = new MemoryLeases('system');
  readonly #alive: Shards[] = [];
  readonly #numbers = new Map<Shards, number>();
  readonly #kill = new Map<Shards, () => void>();
  answersInstead: AnswersInstead = () => undefined;

  start(identity: string, shards: number, log: Log = silentLog, prefix = 'ordertx'): Shards {
    const transport = this.#leases.transport((request) => (replica.dead ? CUT : this.answersInstead(request)));
    const replica = { dead: false };
    const started = new Shards({ transport, clock: this.clock, log, namespace: 'system', prefix, identity, shards });
    started.start();
    this.#alive.push(started);
    this.#numbers.set(started, shards);
    this.#kill.set(started, () => (replica.dead = true));
    return started;
  }

  shardsOf(replica: Shards): number | undefined {
    return this.#numbers.get(replica);
  }

  census(shards: number, log: Log, onCount: (replicas: number) => void, prefix = 'ordertx'): ShardCensus {
    const census = new ShardCensus({
      ...{ transport: this.#leases.transport(), clock: this.clock, log, namespace: 'system', prefix, shards, onCount },
    });
    census.start();
    return census;
  }

  get alive(): readonly Shards[] {
    return this.#alive;
  }

  /** Without a word, as by kill -9: its timers go on, but nothing it asks is heard. */
  crash(replica: Shards): void {
    this.#kill.get(replica)?.();
    this.#alive.splice(this.#alive.indexOf(replica), 1);
  }

  async stop(replica: Shards): Promise<void> {
    this.#alive.splice(this.#alive.indexOf(replica), 1);
    await replica.stop();
  }

  /** How many live replicas work on each transaction. */
  owners(): readonly number[] {
    return TRANSACTIONS.map((each) => this.#alive.filter((replica) => replica.owns(each)).length);
  }

  fewest(): number {
    return Math.min(...this.owners());
  }

  async end(): Promise<void> {
    const stopping = this.#alive.splice(0).map((replica) => replica.stop());
    await this.clock.advance(60_000);
    await Promise.all(stopping);
  }
}

const CUT: ApiAnswer<never> = { kind: 'unanswered', message: 'the API server gave no answer' };

function recordingLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (_fields: object, line: string): void => void lines.push(line);
  return { log: { ...silentLog, info: write, warn: write }, lines };
}

describe('two replicas', () => {
  const pairs = COUNTS.flatMap((first) => COUNTS.map((second) => [first, second] as const));

  test.each(pairs)('with %d and %d shards leave no transaction to nobody at any moment', async (first, second) => {
    for (const apartMs of [0, 3_000]) {
      const replicas = new Replicas();
      replicas.start('a', first);
      await replicas.clock.advance(apartMs);
      replicas.start('b', second);
      await replicas.clock.advance(1);
      for (let step = 0; step < 40; step += 1) {
        await replicas.clock.advance(1_000);
        expect(replicas.fewest()).toBeGreaterThan(0);
      }
      const owners = replicas.owners();
      expect(new Set(owners)).toEqual(new Set([first === second ? 1 : 2]));
      await replicas.end();
    }
  });

  test('that share have only those transactions looked at whose shard came or went', async () => {
    const replicas = new Replicas();
    const first = replicas.start('a', 4);
    await replicas.clock.advance(60_000);
    expect(replicas.fewest()).toBe(1);
    const seen: OrderTransaction[] = [];
    first.onChange((concerns) => seen.push(...TRANSACTIONS.filter(concerns)));
    replicas.start('b', 4);
    await replicas.clock.advance(60_000);
    const given = TRANSACTIONS.filter((each) => !first.owns(each));
    expect(given.length).toBeGreaterThan(10);
    expect(new Set(seen)).toEqual(new Set(given));
    await replicas.end();
  });

  test('that count differently say so, both, and when they agree again', async () => {
    const replicas = new Replicas();
    const { log, lines } = recordingLog();
    const other = recordingLog();
    const counted: number[] = [];
    const a = replicas.start('a', 3);
    const censuses = [
      replicas.census(3, log, (count) => counted.push(count)),
      replicas.census(2, other.log, () => undefined),
    ];
    await replicas.clock.advance(60_000);
    expect(lines).toEqual([]);
    const b = replicas.start('b', 2);
    await replicas.clock.advance(30_000);
    expect(lines).toEqual([expect.stringContaining('b into 2, this one into 3')]);
    expect(other.lines).toEqual([expect.stringContaining('a into 3, this one into 2')]);
    expect(counted.at(-1)).toBe(1);
    replicas.crash(b);
    await replicas.clock.advance(30_000);
    expect(lines.at(-1)).toBe('no other replica divides the work differently');
    expect(counted.at(-1)).toBe(0);
    replicas.crash(a);
    await Promise.all(censuses.map((census) => census.stop()));
  });
});

describe('two installations in a namespace', () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
  ])('with %d and %d shards each own everything, whatever the other holds', async (first, second) => {
    const replicas = new Replicas();
    const east = replicas.start('a', first, silentLog, 'east');
    const west = replicas.start('b', second, silentLog, 'west');
    for (const one of [east, west]) {
      await replicas.clock.advance(5_000);
      expect(TRANSACTIONS.filter((each) => !one.owns(each))).toEqual([]);
    }
    replicas.crash(east);
    await replicas.clock.advance(60_000);
    // The other's work is none of its own: it takes no Lease of it.
    expect(west.held()).toHaveLength(second);
    const successor = replicas.start('c', first, silentLog, 'east');
    await replicas.clock.advance(REPLACED_MS);
    expect(successor.held()).toHaveLength(first);
    expect(west.held()).toHaveLength(second);
    await replicas.end();
  });

  test('do not count each other’s replicas, nor those of one whose name begins or ends alike', async () => {
    const replicas = new Replicas();
    const { log, lines } = recordingLog();
    const counted: number[] = [];
    const census = replicas.census(3, log, (count) => counted.push(count), 'east');
    replicas.start('a', 3, silentLog, 'east');
    for (const [index, prefix] of ['west', 'east-2', 'north-east', 'ordertx'].entries())
      replicas.start(`other-${index}`, 2, silentLog, prefix);
    await replicas.clock.advance(60_000);
    expect(new Set(counted)).toEqual(new Set([0]));
    expect(lines).toEqual([]);
    replicas.start('b', 2, silentLog, 'east');
    await replicas.clock.advance(30_000);
    expect(lines).toEqual([expect.stringContaining('b into 2, this one into 3')]);
    await replicas.end();
    await census.stop();
  });
});

test.each(Array.from({ length: 12 }, (_, index) => index * 200))(
  'what a replica owned that died %d ms into a round is another’s 13 s later',
  async (intoMs) => {
    const replicas = new Replicas();
    replicas.start('a', 4);
    const dying = replicas.start('b', 4);
    await replicas.clock.advance(60_000 + intoMs);
    expect(dying.held()).toHaveLength(2);
    replicas.crash(dying);
    await replicas.clock.advance(REPLACED_MS);
    expect(replicas.owners()).toEqual(TRANSACTIONS.map(() => 1));
    await replicas.end();
  },
);

test('whoever starts, stops or dies, with whatever number of shards, a transaction has an owner again soon', async () => {
  const act = fc.record({
    what: fc.constantFrom('start', 'start', 'stop', 'crash'),
    shards: fc.constantFrom(...COUNTS),
    which: fc.nat(3),
    waitMs: fc.constantFrom(0, 500, 3_000, 20_000, 60_000),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 8 }), async (acts) => {
      const replicas = new Replicas();
      const first = replicas.start('first', 2);
      for (const [index, { what, shards, which, waitMs }] of acts.entries()) {
        const chosen = replicas.alive[which % Math.max(1, replicas.alive.length)];
        if (what === 'start' && replicas.alive.length < 4) replicas.start(`r${index}`, shards);
        else if (chosen && chosen !== first && what === 'crash') replicas.crash(chosen);
        else if (chosen && chosen !== first && what === 'stop') await replicas.stop(chosen);
        await replicas.clock.advance(waitMs);
      }
      await replicas.clock.advance(NOTICED_MS);
      expect(replicas.fewest()).toBeGreaterThan(0);
      await replicas.clock.advance(120_000);
      // One owner for each number of shards that somebody still has, and no more.
      const numbers = new Set(replicas.alive.map((replica) => replicas.shardsOf(replica)));
      expect(new Set(replicas.owners())).toEqual(new Set([numbers.size]));
      await replicas.end();
    }),
    { numRuns: 40 },
  );
});

describe('Leases that the API server refuses', () => {
  test.each([
    ['403 for everything', () => failure(403, 'Forbidden', 'leases is forbidden: no rights')],
    [
      '403 for creating',
      ({ method }: ApiRequest) => (method === 'POST' ? failure(403, 'Forbidden', 'terminating') : undefined),
    ],
    ['500 for everything', () => failure(500, 'InternalError', 'etcd is full')],
    [
      '500 for writing',
      ({ method }: ApiRequest) => (method === 'GET' ? undefined : failure(500, 'InternalError', 'etcd is full')),
    ],
    ['no answer', () => CUT],
  ])('(%s) stop nobody, and the log says it once', async (_what, answersInstead) => {
    const replicas = new Replicas();
    replicas.answersInstead = answersInstead;
    const { log, lines } = recordingLog();
    let looksAgain = 0;
    const started = replicas.start('a', 2, log);
    started.onChange(() => (looksAgain += 1));
    await replicas.clock.advance(NOTICED_MS);
    expect(replicas.fewest()).toBe(1);
    expect(looksAgain).toBeGreaterThan(0);
    await replicas.clock.advance(3_600_000);
    expect(replicas.fewest()).toBe(1);
    const complaints = lines.filter((line) => line.startsWith('the Lease could not be'));
    expect(complaints).toHaveLength(2);
    replicas.answersInstead = () => undefined;
    await replicas.clock.advance(10_000);
    expect(lines.at(-1)).toBe('the Lease can be read and written again');
    await replicas.end();
  });

  test('later on take nothing from those who have it', async () => {
    const replicas = new Replicas();
    replicas.start('a', 4);
    replicas.start('b', 4);
    await replicas.clock.advance(60_000);
    const before = replicas.alive.map((replica) => replica.held());
    replicas.answersInstead = () => failure(403, 'Forbidden');
    await replicas.clock.advance(10_000);
    expect(replicas.alive.map((replica) => replica.held())).toEqual(before);
    replicas.answersInstead = () => undefined;
    await replicas.clock.advance(60_000);
    expect(new Set(replicas.owners())).toEqual(new Set([1]));
    await replicas.end();
  });

  test('one Lease whose requests hang holds up no other', async () => {
    const replicas = new Replicas();
    const hangs = (path: string) => path.endsWith('ordertx-shard-0-of-4');
    const original = replicas.start('a', 4);
    await replicas.clock.advance(5_000);
    replicas.crash(original);
    const never = new Promise<never>(() => undefined);
    replicas.answersInstead = ({ path }) => (hangs(path) ? never : undefined);
    const successor = replicas.start('b', 4);
    await replicas.clock.advance(LEASE_DURATION_MS + 5_000);
    expect(successor.held()).toEqual([1, 2, 3]);
    await replicas.clock.advance(NOTICED_MS);
    expect(successor.held()).toEqual([0, 1, 2, 3]);
  });
});
