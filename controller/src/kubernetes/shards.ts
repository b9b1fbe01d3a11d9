/**
 * Who works on which transaction: the work is divided into shards, and each shard's Lease into whose hands it is.
 *
 * Ownership only saves work. Two replicas at one transaction are harmless (T2), so nothing here needs to be exact: a
 * shard may be without an owner for as long as a Lease lasts, and calls that are under way when it is lost may end.
 *
 *  W1  A replica takes every shard that is free.
 *  W2  One that holds at least two fewer than another asks it for one, by writing its name into the Lease; the holder
 *      gives it up for the one who asked, if that is still so. So shards spread evenly among those that are there,
 *      without anyone keeping a list of them, and with one shard nobody ever asks.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { Ownership } from '../reconcile/ports.ts';
import { delay, type Cancel, type Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { Lease, type LeaseTimes } from './lease.ts';
import { keyOf } from './stored-object.ts';
import type { Transport } from './transport.ts';

export interface ShardsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the Leases are: the controller's own namespace. */
  readonly namespace: string;
  /** This replica's name, unlike every other's. */
  readonly identity: string;
  /** The same number for every replica, or two of them would think differently of one transaction. */
  readonly shards: number;
  /** Called once for every Lease at the start and whenever it comes or goes. */
  readonly onHolding?: (lease: string, holding: boolean) => void;
  readonly times?: LeaseTimes;
  readonly roundMs?: number;
}

/** Several renewals fit into the time a Lease is relied on, so one that is lost costs nothing. */
const ROUND_MS = 2_000;

export class Shards implements Ownership {
  readonly #options: ShardsOptions;
  readonly #leases: readonly Lease[];
  readonly #listeners: (() => void)[] = [];
  readonly #stopping = new AbortController();
  #held: ReadonlySet<number> = new Set();
  #expiry: Cancel | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ShardsOptions) {
    const { transport, clock, namespace, identity, times } = options;
    this.#options = options;
    this.#leases = Array.from({ length: options.shards }, (_, shard) => {
      const name = `ordertx-shard-${shard}`;
      return new Lease({ transport, clock, namespace, name, identity, ...(times !== undefined && { times }) });
    });
  }

  owns(transaction: OrderTransaction): boolean {
    return this.#leases[shardOf(keyOf(transaction), this.#leases.length)]?.holds() ?? false;
  }

  /** The shards that are held now. */
  held(): readonly number[] {
    return this.#leases.flatMap((lease, shard) => (lease.holds() ? [shard] : []));
  }

  /** Called after shards were gained or lost: whatever is owned now must be looked at. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  start(): void {
    for (const lease of this.#leases) this.#options.onHolding?.(lease.name, false);
    this.#running ??= this.#run(this.#stopping.signal);
  }

  /** Gives every shard back, so that a successor takes over at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#expiry?.();
    await Promise.all(this.#leases.map((lease) => lease.release()));
    this.#told();
  }

  async #run(stopping: AbortSignal): Promise<void> {
    const { clock, roundMs = ROUND_MS } = this.#options;
    while (!stopping.aborted) {
      await Promise.all(this.#leases.map((lease) => lease.refresh()));
      if (stopping.aborted) return;
      await Promise.all(this.#leases.filter((lease) => lease.isFree()).map((lease) => lease.take()));
      await this.#share();
      this.#told();
      // Replicas that look at the same moment would go on colliding.
      await delay(clock, roundMs * (0.8 + 0.4 * Math.random()), stopping);
    }
  }

  /** W2. In one round at most one shard is given up and at most one asked for. */
  async #share(): Promise<void> {
    const counts = new Map<string, number>();
    for (const lease of this.#leases) {
      const holder = lease.holds() ? this.#options.identity : lease.holder();
      if (holder !== undefined) counts.set(holder, (counts.get(holder) ?? 0) + 1);
    }
    const mine = counts.get(this.#options.identity) ?? 0;
    for (const lease of this.#leases) {
      const who = lease.wantedBy();
      if (who === undefined || !lease.holds() || mine < (counts.get(who) ?? 0) + 2) continue;
      await lease.release(who);
      return;
    }
    const asked = this.#leases.some((lease) => lease.wantedBy() === this.#options.identity);
    const rich = this.#leases.find((lease) => !lease.holds() && (counts.get(lease.holder() ?? '') ?? 0) >= mine + 2);
    if (!asked) await rich?.ask();
  }

  /** Tells what changed since it last told, and comes again when what is held would expire. */
  #told(): void {
    const { clock, log, onHolding } = this.#options;
    const before = this.#held;
    const now = new Set(this.held());
    const changed = this.#leases.filter((_, shard) => before.has(shard) !== now.has(shard));
    this.#held = now;
    for (const lease of changed) {
      const holding = lease.holds();
      log.info({ lease: lease.name, holding }, holding ? 'this replica works on the shard' : 'the shard is another’s');
      onHolding?.(lease.name, holding);
    }
    if (changed.length > 0) for (const listener of this.#listeners) listener();
    this.#expiry?.();
    const endsMs = Math.min(...this.#leases.filter((lease) => lease.holds()).map((lease) => lease.holdsUntilMs() ?? 0));
    if (endsMs < Infinity) this.#expiry = clock.setTimer(endsMs - clock.monotonicMs() + 1, () => this.#told());
  }
}

/** With leader election off: every replica works on everything. */
export const ownsEverything: Ownership = { owns: () => true };

/** FNV-1a, 32 bit: short, and even over names that differ in their last digit. */
export function shardOf(key: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % shards;
}
