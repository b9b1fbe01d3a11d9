/**
 * Who works on which transaction: the work is divided into shards, and each shard's Lease says whose it is.
 *
 * Ownership only saves work. Two replicas at one transaction are harmless (T2), none is not: so whatever goes wrong with
 * Leases ends in too many workers and never in none (lease.ts, docs/adr/0023).
 *
 *  W1  A replica takes every shard that is free.
 *  W2  One that holds at least two fewer than another asks it for one, by writing its name into the Lease; the holder
 *      gives it up for the one who asked, if that is still so. So shards spread evenly among those that are there,
 *      without anyone keeping a list of them, and with one shard nobody ever asks.
 *  W3  Each Lease is renewed by a loop of its own: one request that hangs holds up no other Lease.
 *  W4  A Lease's name says how many there are. Replicas that count differently share no Lease, so each count is complete
 *      in itself: while ORDERTX_SHARDS is being changed, transactions have two owners, and none has no owner.
 *  W5  It begins with the installation's name. Two installations in one namespace share no Lease: each works for its own
 *      namespaces, and what the other holds says nothing of them.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { Ownership } from '../reconcile/ports.ts';
import { delay, type Cancel, type Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { installationLabels, leaseName } from './lease-names.ts';
import { Lease } from './lease.ts';
import { keyOf } from './stored-object.ts';
import type { Transport } from './transport.ts';

export interface ShardsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the Leases are: the controller's own namespace. */
  readonly namespace: string;
  /** What the Leases' names begin with: the same for every replica of an installation, and for no other installation there. */
  readonly prefix: string;
  /** This replica's name, unlike every other's. */
  readonly identity: string;
  readonly shards: number;
  /** Called once for every Lease at the start and whenever it comes or goes. */
  readonly onHolding?: (lease: string, holding: boolean) => void;
  /** Likewise, whenever it cannot be read or written, and when it can again. */
  readonly onTrouble?: (lease: string, isIll: boolean) => void;
  readonly durationMs?: number;
  readonly roundMs?: number;
}

/** Several renewals fit into a Lease's duration, so one that is lost costs nothing. */
const ROUND_MS = 2_000;

export class Shards implements Ownership {
  readonly #options: ShardsOptions;
  readonly #leases: readonly Lease[];
  readonly #listeners: ((concerns: (transaction: OrderTransaction) => boolean) => void)[] = [];
  readonly #stopping = new AbortController();
  readonly #troubles = new Map<Lease, string>();
  #owned: ReadonlySet<Lease> = new Set();
  #isAsking = false;
  #isGiving = false;
  #comesAgain: Cancel | undefined;
  #running: Promise<unknown> | undefined;

  constructor(options: ShardsOptions) {
    const { transport, clock, namespace, prefix, identity, durationMs, shards } = options;
    const labels = installationLabels(prefix);
    this.#options = options;
    this.#leases = Array.from({ length: shards }, (_, shard) => {
      const name = leaseName(prefix, shard, shards);
      return new Lease({
        ...{ transport, clock, namespace, name, labels, identity },
        ...(durationMs !== undefined && { durationMs }),
      });
    });
  }

  owns(transaction: OrderTransaction): boolean {
    return this.ownsKey(keyOf(transaction));
  }

  /** Whether what goes by this name is this replica's to do. */
  ownsKey(key: string): boolean {
    return this.#leaseOf(key)?.owns() ?? false;
  }

  #leaseOf(key: string): Lease | undefined {
    return this.#leases[shardOf(key, this.#leases.length)];
  }

  /** The shards that are owned now. */
  held(): readonly number[] {
    return this.#leases.flatMap((lease, shard) => (lease.owns() ? [shard] : []));
  }

  /** Called after shards were gained or lost; what is of these must be looked at, and nothing else. */
  onChange(listener: (concerns: (transaction: OrderTransaction) => boolean) => void): void {
    this.#listeners.push(listener);
  }

  start(): void {
    for (const { name } of this.#leases) {
      this.#options.onHolding?.(name, false);
      this.#options.onTrouble?.(name, false);
    }
    this.#running ??= Promise.all(this.#leases.map((lease) => this.#keep(lease, this.#stopping.signal)));
  }

  /** Gives every shard back, so that a successor takes over at once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#comesAgain?.();
    await Promise.all(this.#leases.map((lease) => lease.release()));
    this.#told();
    this.#comesAgain?.();
  }

  async #keep(lease: Lease, stopping: AbortSignal): Promise<void> {
    const { clock, roundMs = ROUND_MS } = this.#options;
    while (!stopping.aborted) {
      await lease.refresh(stopping);
      if (stopping.aborted) return;
      this.#toldTrouble(lease);
      await this.#share(lease);
      this.#told();
      // Replicas that look at the same moment would go on colliding. One that dies is replaced as soon as it may be.
      const pauseMs = roundMs * (0.8 + 0.4 * Math.random());
      await delay(clock, Math.min(pauseMs, lease.freeInMs() ?? Infinity), stopping);
    }
  }

  /** W2. A replica hands over one at a time: the next share is compared when it is seen who has this one. */
  async #share(lease: Lease): Promise<void> {
    const { identity } = this.#options;
    const counts = new Map<string, number>();
    for (const each of this.#leases) {
      const whose = each.countsFor();
      if (whose !== undefined) counts.set(whose, (counts.get(whose) ?? 0) + 1);
    }
    const mine = counts.get(identity) ?? 0;
    if (lease.owns()) {
      if (lease.holder() !== identity) return;
      const who = lease.wantedBy();
      if (who === undefined || who === identity || this.#isGiving || mine < (counts.get(who) ?? 0) + 2) return;
      this.#isGiving = true;
      await lease.handOver(who);
      this.#isGiving = false;
      return;
    }
    const isAsked = this.#isAsking || this.#leases.some((each) => !each.owns() && each.wantedBy() === identity);
    if (isAsked || (counts.get(lease.holder() ?? '') ?? 0) < mine + 2) return;
    this.#isAsking = true;
    await lease.ask();
    this.#isAsking = false;
  }

  /** Tells what changed since it last told, and comes again when a shard would be ours by its holder's silence. */
  #told(): void {
    const { clock, log, onHolding } = this.#options;
    const before = this.#owned;
    this.#owned = new Set(this.#leases.filter((lease) => lease.owns()));
    const changed = this.#leases.filter((lease) => before.has(lease) !== this.#owned.has(lease));
    for (const lease of changed) {
      const holding = this.#owned.has(lease);
      log.info({ lease: lease.name, holding }, holding ? 'this replica works on the shard' : 'the shard is another’s');
      onHolding?.(lease.name, holding);
    }
    const concerns = (transaction: OrderTransaction): boolean =>
      changed.some((lease) => lease === this.#leaseOf(keyOf(transaction)));
    if (changed.length > 0) for (const listener of this.#listeners) listener(concerns);
    this.#comesAgain?.();
    const fromMs = Math.min(...this.#leases.map((lease) => lease.ownsFromMs() ?? Infinity));
    if (fromMs < Infinity) this.#comesAgain = clock.setTimer(fromMs - clock.monotonicMs(), () => this.#told());
  }

  #toldTrouble(lease: Lease): void {
    const { log } = this.#options;
    const trouble = lease.trouble();
    if (trouble === this.#troubles.get(lease)) return;
    this.#options.onTrouble?.(lease.name, trouble !== undefined);
    if (trouble === undefined) {
      this.#troubles.delete(lease);
      log.info({ lease: lease.name }, 'the Lease can be read and written again');
      return;
    }
    this.#troubles.set(lease, trouble);
    log.warn(
      { lease: lease.name, sentence: trouble },
      'the Lease could not be read or written: where no other holder is seen, this replica works on the shard all the same',
    );
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
