/**
 * One Lease (coordination.k8s.io/v1): a lock with an end, which at most one replica holds.
 *
 * The algorithm is client-go's (k8s.io/client-go/tools/leaderelection).
 *
 *  L1  Clocks are never compared. A replica takes a Lease over only after it has itself watched the holder write nothing
 *      for the Lease's whole duration; renewTime is only ever compared with itself.
 *  L2  The holder stops holding before anyone may take over: it counts HOLD_MS from before it sent the last renewal that
 *      succeeded, others count the longer duration from after they saw it stored. `holds` looks at the clock each time it
 *      is asked, so it is right also when the process was stopped for a while.
 *  L3  Every write carries the resourceVersion of the copy it was made from, so two who take at once are one who takes.
 *  L4  Released gracefully, a Lease has no holder and is taken at once.
 */
import type { Clock } from '../runtime/clock.ts';
import { LEASES, pathOf, type ObjectMeta } from './stored-object.ts';
import type { ApiAnswer, Transport } from './transport.ts';

export interface LeaseTimes {
  /** How long others wait after the last renewal they saw. */
  readonly durationMs: number;
  /** How long the holder relies on its last renewal; shorter than `durationMs` by more than a request takes. */
  readonly holdMs: number;
}

/** client-go's defaults: 15 s until a dead holder's work goes on, and two thirds of it to get a renewal through. */
export const LEASE_TIMES: LeaseTimes = { durationMs: 15_000, holdMs: 10_000 };

export interface LeaseOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  /** Unlike every other replica's. */
  readonly identity: string;
  readonly times?: LeaseTimes;
}

interface StoredLease {
  readonly metadata: ObjectMeta;
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

type State =
  | { readonly kind: 'unread' }
  | { readonly kind: 'absent' }
  /** Held by another or by nobody; `sinceMs` is when this copy was first seen (L1). */
  | { readonly kind: 'watched'; readonly copy: StoredLease; readonly sinceMs: number }
  | { readonly kind: 'held'; readonly copy: StoredLease; readonly untilMs: number };

/** Names the replica that asks the holder for this Lease; see shards.ts. */
const WANTED_BY = 'ordertx.dev/wanted-by';
/** Well under `holdMs`: a request that hangs must leave time for another. */
const REQUEST_MS = 3_000;

export class Lease {
  readonly name: string;
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  readonly #collection: string;
  #state: State = { kind: 'unread' };

  constructor(options: LeaseOptions) {
    this.name = options.name;
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
    this.#collection = pathOf(LEASES, options.namespace);
  }

  /** Whether it is ours at this moment (L2). */
  holds(): boolean {
    return this.#state.kind === 'held' && this.#now() < this.#state.untilMs;
  }

  /** When `holds` turns false unless it is renewed before; on the clock's monotonic time. */
  holdsUntilMs(): number | undefined {
    return this.#state.kind === 'held' ? this.#state.untilMs : undefined;
  }

  /** Who held it when we last looked. */
  holder(): string | undefined {
    const copy = this.#copy();
    return copy?.spec?.holderIdentity || undefined;
  }

  /** Who asked for it when we last looked. */
  wantedBy(): string | undefined {
    return this.#copy()?.metadata.annotations?.[WANTED_BY];
  }

  /** Whether we may take it: nobody holds it, its holder has let it expire, or its holder had our name. */
  isFree(): boolean {
    const { identity } = this.#options;
    switch (this.#state.kind) {
      case 'unread':
      case 'held':
        return false;
      case 'absent':
        return true;
      case 'watched': {
        const expired = this.#now() - this.#state.sinceMs > this.#durationMs(this.#state.copy);
        if (expired || this.holder() === identity) return true;
        const wantedBy = this.wantedBy();
        return this.holder() === undefined && (wantedBy === undefined || wantedBy === identity);
      }
    }
  }

  /** Renews it where it is ours, else looks at it. Never rejects; what does not get through is tried the next time. */
  async refresh(): Promise<void> {
    if (this.#state.kind === 'held' && !this.holds()) this.#watch(this.#state.copy);
    // A wish that was considered, or is no longer justified, goes with the renewal.
    if (this.#state.kind === 'held' && (await this.#renew(without(this.#state.copy, WANTED_BY))) !== 'conflict') return;
    const answer = await this.#request('GET');
    if (answer.kind === 'error' && answer.error.status === 404) this.#state = { kind: 'absent' };
    if (answer.kind !== 'ok') return;
    this.#saw(answer.body);
    // Still ours, in a copy that somebody has written a wish into or that our own unanswered renewal has made.
    if (this.#state.kind === 'held') await this.#renew(answer.body);
  }

  /** Takes it if it is free. Says whether it is ours now. */
  async take(): Promise<boolean> {
    if (!this.isFree()) return this.holds();
    const sentMs = this.#now();
    const copy = this.#copy();
    const answer = await this.#request(copy === undefined ? 'POST' : 'PUT', {
      metadata: copy === undefined ? this.#newMetadata() : without(copy, WANTED_BY).metadata,
      spec: {
        holderIdentity: this.#options.identity,
        leaseDurationSeconds: Math.ceil(this.#times.durationMs / 1000),
        acquireTime: this.#timestamp(),
        renewTime: this.#timestamp(),
        leaseTransitions: (copy?.spec?.leaseTransitions ?? 0) + (copy === undefined ? 0 : 1),
      },
    });
    if (answer.kind === 'ok') this.#state = this.#heldFrom(sentMs, answer.body);
    return this.holds();
  }

  /** Gives it back at once (L4), for `successor` where one asked for it. What does not get through expires. */
  async release(successor?: string): Promise<void> {
    if (this.#state.kind !== 'held') return;
    const { copy } = this.#state;
    this.#watch(copy);
    const { holderIdentity: _, ...spec } = copy.spec ?? {};
    const { metadata } = successor === undefined ? without(copy, WANTED_BY) : withWish(copy, successor);
    const answer = await this.#request('PUT', { metadata, spec: { ...spec, renewTime: this.#timestamp() } });
    if (answer.kind === 'ok') this.#watch(answer.body);
  }

  /** Asks its holder for it. */
  async ask(): Promise<void> {
    if (this.#state.kind !== 'watched') return;
    const answer = await this.#request('PUT', withWish(this.#state.copy, this.#options.identity));
    if (answer.kind === 'ok') this.#saw(answer.body);
  }

  async #renew(copy: StoredLease): Promise<'held' | 'conflict' | 'unknown'> {
    const sentMs = this.#now();
    const answer = await this.#request('PUT', { ...copy, spec: { ...copy.spec, renewTime: this.#timestamp() } });
    if (answer.kind === 'ok') {
      this.#state = this.#heldFrom(sentMs, answer.body);
      return 'held';
    }
    return answer.kind === 'error' && (answer.error.status === 409 || answer.error.status === 404)
      ? 'conflict'
      : 'unknown';
  }

  #saw(copy: StoredLease): void {
    const state = this.#state;
    if (state.kind === 'held' && copy.spec?.holderIdentity === this.#options.identity) {
      this.#state = { kind: 'held', copy, untilMs: state.untilMs };
      return;
    }
    // A wish is no sign of life of the holder's: only what the holder writes counts.
    const silent =
      state.kind === 'watched' &&
      state.copy.spec?.holderIdentity === copy.spec?.holderIdentity &&
      state.copy.spec?.renewTime === copy.spec?.renewTime;
    if (silent) this.#state = { ...state, copy };
    else this.#watch(copy);
  }

  #watch(copy: StoredLease): void {
    this.#state = { kind: 'watched', copy, sinceMs: this.#now() };
  }

  #heldFrom(sentMs: number, copy: StoredLease): State {
    return { kind: 'held', copy, untilMs: sentMs + this.#times.holdMs };
  }

  #copy(): StoredLease | undefined {
    return this.#state.kind === 'watched' || this.#state.kind === 'held' ? this.#state.copy : undefined;
  }

  /** The holder's own word, where it gave one: replicas may be configured differently during a change. */
  #durationMs(copy: StoredLease): number {
    const seconds = copy.spec?.leaseDurationSeconds;
    return seconds === undefined ? this.#times.durationMs : seconds * 1000;
  }

  #newMetadata(): ObjectMeta {
    const { namespace, name } = this.#options;
    return { namespace, name };
  }

  #request(method: 'GET' | 'POST' | 'PUT', body?: object): Promise<ApiAnswer<StoredLease>> {
    const path = method === 'POST' ? this.#collection : `${this.#collection}/${this.name}`;
    const typed = body && { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...body };
    return this.#options.transport.request<StoredLease>({ method, path, body: typed, timeoutMs: REQUEST_MS });
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }

  /** As Kubernetes' MicroTime wants it: six digits. */
  #timestamp(): string {
    return new Date(this.#options.clock.now()).toISOString().replace('Z', '000Z');
  }
}

function withWish({ metadata, spec }: StoredLease, identity: string): StoredLease {
  return {
    metadata: { ...metadata, annotations: { ...metadata.annotations, [WANTED_BY]: identity } },
    ...(spec && { spec }),
  };
}

function without({ metadata, spec }: StoredLease, annotation: string): StoredLease {
  const annotations = Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([name]) => name !== annotation),
  );
  return { metadata: { ...metadata, annotations }, ...(spec && { spec }) };
}
