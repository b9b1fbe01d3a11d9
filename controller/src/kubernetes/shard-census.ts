/**
 * Whether other replicas divide the work into another number of shards.
 *
 * That does no harm but costs work: each number is complete in itself (W4 of shards.ts), so every transaction has an owner
 * for each. It is how a change of ORDERTX_SHARDS looks while it is being rolled out, and a mistake when it stays.
 *
 * A Lease of another number counts while somebody is seen renewing it; renewTime is only compared with itself. Another installation's,
 * whose name begins otherwise, is none of this one's work.
 */
import { delay, type Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { readLeaseName } from './lease-names.ts';
import { LEASE_DURATION_MS } from './lease.ts';
import { LEASES, pathOf, type ObjectList, type StoredObject } from './stored-object.ts';
import type { Transport } from './transport.ts';

export interface ShardCensusOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
  readonly namespace: string;
  /** What this installation's Leases are named by. */
  readonly prefix: string;
  readonly shards: number;
  /** After each look: how many replicas count differently. */
  readonly onCount: (replicas: number) => void;
  readonly roundMs?: number;
}

interface SeenLease extends StoredObject {
  readonly spec?: { readonly holderIdentity?: string; readonly renewTime?: string };
}

interface Sign {
  readonly renewTime: string | undefined;
  /** When it was seen to have been renewed; absent until then. */
  readonly renewedMs?: number;
}

/** Leases renewed every few seconds are caught by two looks. */
const ROUND_MS = 10_000;
/** A namespace holds a handful; what is beyond a page this large is not looked at. */
const LEASES_MAX = 500;

export class ShardCensus {
  readonly #options: ShardCensusOptions;
  readonly #stopping = new AbortController();
  #signs: ReadonlyMap<string, Sign> = new Map();
  #said = '';
  #running: Promise<void> | undefined;

  constructor(options: ShardCensusOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(stopping: AbortSignal): Promise<void> {
    const { clock, roundMs = ROUND_MS } = this.#options;
    while (!stopping.aborted) {
      await this.#look(stopping);
      await delay(clock, roundMs, stopping);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { transport, clock, namespace, prefix, shards, onCount } = this.#options;
    const answer = await transport.request<ObjectList<SeenLease>>({
      ...{ method: 'GET', path: pathOf(LEASES, namespace), query: { limit: String(LEASES_MAX) }, signal },
    });
    if (signal.aborted) return;
    if (answer.kind !== 'ok') {
      const why = answer.kind === 'error' ? answer.error.message : answer.message;
      this.#say('warn', `whether other replicas count the shards differently is not known: ${why}`);
      return;
    }
    const nowMs = clock.monotonicMs();
    const signs = new Map<string, Sign>();
    const others = new Map<string, string>();
    for (const { metadata, spec } of answer.body.items) {
      const lease = readLeaseName(metadata.name);
      if (lease?.prefix !== prefix || lease.shards === String(shards)) continue;
      const sign = this.#signOf(metadata.name, spec?.renewTime, nowMs);
      signs.set(metadata.name, sign);
      const isAlive = sign.renewedMs !== undefined && nowMs - sign.renewedMs <= LEASE_DURATION_MS;
      if (isAlive && spec?.holderIdentity) others.set(spec.holderIdentity, lease.shards ?? 'an unnamed number of');
    }
    this.#signs = signs;
    onCount(others.size);
    const who = [...others].map(([replica, count]) => `${replica} into ${count}`).sort();
    if (who.length > 0) {
      this.#say(
        'warn',
        `other replicas divide the work differently: ${who.join(', ')}, this one into ${shards}; until ORDERTX_SHARDS is the same everywhere they all work on the same transactions, which is safe but wasteful`,
      );
    } else if (this.#said !== '') this.#say('info', 'no other replica divides the work differently');
  }

  #signOf(name: string, renewTime: string | undefined, nowMs: number): Sign {
    const before = this.#signs.get(name);
    if (before === undefined) return { renewTime };
    return before.renewTime === renewTime ? before : { renewTime, renewedMs: nowMs };
  }

  #say(level: 'info' | 'warn', sentence: string): void {
    if (sentence === this.#said) return;
    this.#said = sentence;
    this.#options.log[level]({}, sentence);
  }
}
