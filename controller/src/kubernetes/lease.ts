/**
 * One Lease (coordination.k8s.io/v1): by it replicas agree who works on something, so that not all of them do.
 *
 * The algorithm is client-go's (k8s.io/client-go/tools/leaderelection), turned round in one point: there a holder that
 * cannot renew must stop, because two leaders would do harm. Here two do none (T2), and nobody does: a Lease that cannot be
 * read or written must never keep work from being done (docs/adr/0023).
 *
 *  L1  Clocks are never compared. Another holder counts as alive from when it was seen to write until the Lease's duration
 *      later, on the own monotonic clock; renewTime is only ever compared with itself.
 *  L2  What a replica owns it owns until it has seen another holder write. No time that passes and no request that fails
 *      takes it away.
 *  L3  A replica takes it once it has watched the holder write nothing for the Lease's duration. Where it cannot take it,
 *      it owns it all the same half a duration later: by then it would have seen anyone who took it instead.
 *  L4  Every write carries the resourceVersion of the copy it was made from, so two who take at once are one who takes.
 *  L5  Released gracefully, a Lease has no holder and is taken at once.
 */
import type { Clock } from '../runtime/clock.ts';
import { LEASES, pathOf, type ObjectMeta } from './stored-object.ts';
import type { ApiAnswer, Transport } from './transport.ts';

/**
 * After this the work of a dead holder goes on: with the round in which its last sign of life is seen (shards.ts) and what there is to
 * do then, within 15 s. Several renewals fit into it. Two owners do no harm, so it may be shorter than client-go's 15 s.
 */
export const LEASE_DURATION_MS = 10_000;

export interface LeaseOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  /** It is given them by whoever holds it. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Unlike every other replica's. */
  readonly identity: string;
  readonly durationMs?: number;
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

/** What was last read or written of it. */
type Sight =
  { readonly kind: 'unread' } | { readonly kind: 'absent' } | { readonly kind: 'present'; readonly copy: StoredLease };

/** Names the replica that asks the holder for this Lease; see shards.ts. */
const WANTED_BY = 'ordertx.dev/wanted-by';
/** Several rounds after the moment at which the first who can takes it (L3). */
const STAND_IN_DURATIONS = 1.5;
/** For a holder that stops: what does not get through in it expires. */
const RELEASE_MS = 3_000;

export class Lease {
  readonly name: string;
  readonly #options: LeaseOptions;
  readonly #durationMs: number;
  readonly #collection: string;
  #sight: Sight = { kind: 'unread' };
  #owned = false;
  /** When another holder last gave a sign of life, or we began to look for one while it was not ours. */
  #othersAliveMs: number;
  /** Since when the holder that stands in it is watched. */
  #watchedMs: number;
  #trouble: string | undefined;

  constructor(options: LeaseOptions) {
    this.name = options.name;
    this.#options = options;
    this.#durationMs = options.durationMs ?? LEASE_DURATION_MS;
    this.#collection = pathOf(LEASES, options.namespace);
    this.#othersAliveMs = this.#watchedMs = this.#now();
  }

  /** Whether it is ours to do at this moment (L2, L3). */
  owns(): boolean {
    return this.#owned || this.#now() > this.#standsInFromMs();
  }

  /** When `owns` turns true unless another holder is seen before, on the monotonic clock; undefined where it is true. */
  ownsFromMs(): number | undefined {
    return this.owns() ? undefined : this.#standsInFromMs() + 1;
  }

  /** In how many milliseconds it can be taken should its holder stay silent; undefined where it is ours, or is free already. */
  freeInMs(): number | undefined {
    if (this.#sight.kind !== 'present' || this.#held() !== undefined) return undefined;
    const ms = this.#watchedMs + this.#patienceMs() + 1 - this.#now();
    return ms > 0 ? ms : undefined;
  }

  /** Who stood in it when we last looked. */
  holder(): string | undefined {
    return this.#copy()?.spec?.holderIdentity || undefined;
  }

  /** Who asked for it when we last looked. */
  wantedBy(): string | undefined {
    return this.#copy()?.metadata.annotations?.[WANTED_BY];
  }

  /** What the API server said instead of doing what it was last asked for; undefined where it did that. */
  trouble(): string | undefined {
    return this.#trouble;
  }

  /** Renews it where it is ours, takes it where it is free, else looks at it. Never rejects; what fails is tried the next time. */
  async refresh(signal?: AbortSignal): Promise<void> {
    this.#trouble = undefined;
    // A wish that was considered, or is no longer justified, goes with the renewal.
    const held = this.#held();
    if (held !== undefined && (await this.#renew(without(held, WANTED_BY), signal)) !== 'conflict') return;
    const answer = await this.#request('GET', undefined, { signal });
    if (answer.kind === 'ok') this.#saw(answer.body);
    else if (isNotFound(answer)) this.#sight = { kind: 'absent' };
    else return;
    // Still ours, in a copy that somebody has written a wish into or that our own unanswered renewal has made.
    const found = this.#held();
    if (found !== undefined) await this.#renew(found, signal);
    else if (this.#isFree()) await this.#take(signal);
  }

  /** Whose it is when shares are compared: a successor's from when it was given up for it. */
  countsFor(): string | undefined {
    const successor = this.#sight.kind === 'present' && this.holder() === undefined ? this.wantedBy() : undefined;
    return successor ?? (this.owns() ? this.#options.identity : this.holder());
  }

  /** Gives it back at once (L5). What does not get through expires. */
  async release(): Promise<void> {
    this.#owned = false;
    this.#othersAliveMs = this.#watchedMs = this.#now();
    await this.#giveUp(undefined);
  }

  /** Gives it up for one who asked. Until that one is seen to have taken it, it is ours to do (L2). */
  async handOver(successor: string): Promise<void> {
    this.#watchedMs = this.#now();
    await this.#giveUp(successor);
  }

  async #giveUp(successor: string | undefined): Promise<void> {
    const held = this.#held();
    if (held === undefined) return;
    const give = (copy: StoredLease) =>
      this.#request('PUT', released(copy, successor, this.#timestamp()), { timeoutMs: RELEASE_MS });
    let answer = await give(held);
    if (isConflict(answer)) {
      // A renewal of ours that was cut off has arrived all the same, or somebody has asked for it.
      const current = await this.#request('GET', undefined, { timeoutMs: RELEASE_MS });
      if (current.kind !== 'ok' || current.body.spec?.holderIdentity !== this.#options.identity) return;
      answer = await give(current.body);
    }
    if (answer.kind === 'ok') this.#sight = { kind: 'present', copy: answer.body };
  }

  /** Asks its holder for it. */
  async ask(): Promise<void> {
    const copy = this.#copy();
    if (copy === undefined || this.owns()) return;
    const answer = await this.#request('PUT', withWish(copy, this.#options.identity));
    if (answer.kind === 'ok') this.#saw(answer.body);
  }

  async #renew(copy: StoredLease, signal?: AbortSignal): Promise<'done' | 'conflict' | 'unknown'> {
    const body = { metadata: this.#marked(copy.metadata), spec: { ...copy.spec, renewTime: this.#timestamp() } };
    const answer = await this.#request('PUT', body, { signal });
    if (answer.kind === 'ok') {
      this.#sight = { kind: 'present', copy: answer.body };
      this.#owned = true;
      return 'done';
    }
    return isConflict(answer) || isNotFound(answer) ? 'conflict' : 'unknown';
  }

  async #take(signal?: AbortSignal): Promise<void> {
    const { namespace, identity } = this.#options;
    const copy = this.#copy();
    const answer = await this.#request(
      copy === undefined ? 'POST' : 'PUT',
      {
        metadata: this.#marked(copy === undefined ? { namespace, name: this.name } : without(copy, WANTED_BY).metadata),
        spec: {
          holderIdentity: identity,
          leaseDurationSeconds: Math.ceil(this.#durationMs / 1000),
          acquireTime: this.#timestamp(),
          renewTime: this.#timestamp(),
          leaseTransitions: (copy?.spec?.leaseTransitions ?? 0) + (copy === undefined ? 0 : 1),
        },
      },
      { signal },
    );
    if (answer.kind !== 'ok') return;
    this.#sight = { kind: 'present', copy: answer.body };
    this.#owned = true;
  }

  #marked(metadata: ObjectMeta): ObjectMeta {
    const { labels } = this.#options;
    return labels === undefined ? metadata : { ...metadata, labels: { ...metadata.labels, ...labels } };
  }

  /** Nobody holds it and nobody it was given up for; or its holder is silent, or has our name. */
  #isFree(): boolean {
    const { identity } = this.#options;
    if (this.#sight.kind === 'unread') return false;
    if (this.#sight.kind === 'absent' || this.holder() === identity) return true;
    if (this.#now() - this.#watchedMs > this.#patienceMs()) return true;
    const wantedBy = this.wantedBy();
    return this.holder() === undefined && (wantedBy === undefined || wantedBy === identity);
  }

  #saw(copy: StoredLease): void {
    const before = this.#sight;
    this.#sight = { kind: 'present', copy };
    const holder = copy.spec?.holderIdentity || undefined;
    const giver = holder ?? copy.metadata.annotations?.[WANTED_BY];
    if (giver === undefined || giver === this.#options.identity) return;
    // A wish is no sign of life of the holder's: only what the holder writes counts.
    const hasWritten =
      before.kind === 'absent' ||
      (before.kind === 'present' &&
        (before.copy.spec?.holderIdentity !== copy.spec?.holderIdentity ||
          before.copy.spec?.renewTime !== copy.spec?.renewTime));
    // Found at the first look, it may be long dead: no reason to stop, but one to wait before beginning (L2, L3).
    const isFirstLook = before.kind === 'unread';
    if (hasWritten || (isFirstLook && !this.owns())) this.#othersAliveMs = this.#now();
    if (hasWritten || isFirstLook) this.#watchedMs = this.#now();
    if (hasWritten) this.#owned = false;
  }

  /** Our copy of it, where we stand in it. */
  #held(): StoredLease | undefined {
    return this.holder() === this.#options.identity ? this.#copy() : undefined;
  }

  #copy(): StoredLease | undefined {
    return this.#sight.kind === 'present' ? this.#sight.copy : undefined;
  }

  #standsInFromMs(): number {
    return this.#othersAliveMs + STAND_IN_DURATIONS * this.#patienceMs();
  }

  /** The holder's own word, where it gave one: replicas may be configured differently during a change. */
  #patienceMs(): number {
    const seconds = this.#copy()?.spec?.leaseDurationSeconds;
    return seconds === undefined ? this.#durationMs : seconds * 1000;
  }

  async #request(
    method: 'GET' | 'POST' | 'PUT',
    body?: object,
    limits: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ApiAnswer<StoredLease>> {
    const path = method === 'POST' ? this.#collection : `${this.#collection}/${this.name}`;
    const typed = body && { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...body };
    const { timeoutMs, signal } = limits;
    const answer = await this.#options.transport.request<StoredLease>({
      ...{ method, path, body: typed },
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(signal !== undefined && { signal }),
    });
    if (answer.kind !== 'ok' && !isConflict(answer) && !(method !== 'POST' && isNotFound(answer))) {
      this.#trouble = answer.kind === 'error' ? answer.error.message : answer.message;
    }
    return answer;
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }

  /** As Kubernetes' MicroTime wants it: six digits. */
  #timestamp(): string {
    return new Date(this.#options.clock.now()).toISOString().replace('Z', '000Z');
  }
}

function isNotFound(answer: ApiAnswer<unknown>): boolean {
  return answer.kind === 'error' && answer.error.status === 404;
}

function isConflict(answer: ApiAnswer<unknown>): boolean {
  return answer.kind === 'error' && answer.error.status === 409;
}

function released(lease: StoredLease, successor: string | undefined, renewTime: string): StoredLease {
  const { holderIdentity: _, ...spec } = lease.spec ?? {};
  const { metadata } = successor === undefined ? without(lease, WANTED_BY) : withWish(lease, successor);
  return { metadata, spec: { ...spec, renewTime } };
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
