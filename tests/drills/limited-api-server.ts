/**
 * An API server that takes so many creations of transactions a second: what comes faster waits its turn, in its order, as it does
 * at one that is busy. Everything else passes.
 */
import { startFaultProxy, Tap, type FaultProxy, type Tapped } from '../chaos/fault-proxy.ts';
import type { OwnControlPlane } from '../world/own-control-plane.ts';

/** An order that has waited for longer is no fresh one to the order service, which claims it as due. */
const FRESH_SECONDS_MAX = 7;
/** An order's id is a letter and then the milliseconds of its birth, in Crockford's base32. */
const ORDER_BORN = /^create-o([0-9a-hjkmnp-tv-z]{10})/;
const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';

/** What was created for the first time, by why it had its turn. */
export interface Created {
  /** Orders that were accepted just now. */
  readonly fresh: number;
  /** Orders that were due: sent before in vain, or queued for long. */
  readonly due: number;
  readonly pays: number;
  readonly closes: number;
  /** Creations of what was there already. */
  readonly repeats: number;
}

export class LimitedApiServer {
  readonly #everyMs: number;
  readonly #names = new Map<number, string>();
  /** Names that were refused while the API server was away, and are not created yet. */
  readonly #refused = new Set<string>();
  #proxy: FaultProxy | undefined;
  readonly #queue: (() => void)[] = [];
  /** When the next may be taken. */
  #turnMs = 0;
  #away = false;
  #backAtMs = 0;
  #counts = { fresh: 0, due: 0, pays: 0, closes: 0, repeats: 0 };
  #refusedMax = 0;
  #lastMadeGoodMs = 0;

  private constructor(takesPerSecond: number) {
    this.#everyMs = 1_000 / takesPerSecond;
  }

  static async start(own: OwnControlPlane, takesPerSecond: number): Promise<LimitedApiServer> {
    const limited = new LimitedApiServer(takesPerSecond);
    const tap = new Tap((_, method, path) => method === 'POST' && path.includes('/ordertransactions'));
    tap.reset({
      before: (request, body) => limited.#before(request, body),
      after: (request, status) => limited.#after(request, status),
    });
    limited.#proxy = await startFaultProxy('api', own.plane.url, tap, own.cluster.certificate);
    return limited;
  }

  get url(): string {
    return this.#proxy?.url ?? '';
  }

  get created(): Created {
    return { ...this.#counts };
  }

  get isAway(): boolean {
    return this.#away;
  }

  /** Refuses creations from now on. */
  goAway(): void {
    this.#away = true;
  }

  comeBack(): void {
    this.#away = false;
    this.#backAtMs = performance.now();
    this.#refusedMax = this.#refused.size;
  }

  /** Of what was refused: how much, how much of it is not created yet, and when the last was, after it was back. */
  get madeGood(): { readonly refused: number; readonly open: number; readonly lastSeconds: number } {
    const lastSeconds = this.#lastMadeGoodMs === 0 ? 0 : (this.#lastMadeGoodMs - this.#backAtMs) / 1_000;
    return { refused: this.#refusedMax, open: this.#refused.size, lastSeconds };
  }

  async close(): Promise<void> {
    await this.#proxy?.close();
  }

  async #before({ number }: Tapped, body: Buffer) {
    const { metadata } = JSON.parse(body.toString()) as { readonly metadata: { readonly name: string } };
    if (this.#away) {
      this.#refused.add(metadata.name);
      return {
        status: 503,
        body: JSON.stringify({ reason: 'ServiceUnavailable', message: 'it is away for a moment' }),
      };
    }
    this.#names.set(number, metadata.name);
    await new Promise<void>((hasTurn) => {
      this.#queue.push(hasTurn);
      if (this.#queue.length === 1) this.#takeTurns();
    });
    return 'pass' as const;
  }

  #takeTurns(): void {
    while (this.#queue.length > 0) {
      const now = performance.now();
      if (now < this.#turnMs) {
        setTimeout(() => this.#takeTurns(), this.#turnMs - now);
        return;
      }
      this.#turnMs = Math.max(this.#turnMs, now - this.#everyMs) + this.#everyMs;
      this.#queue.shift()?.();
    }
  }

  #after({ number }: Tapped, status: number) {
    const name = this.#names.get(number) ?? '';
    this.#names.delete(number);
    if (status === 201) this.#counts[kindOf(name, this.#refused.has(name))] += 1;
    if (status === 409) this.#counts.repeats += 1;
    if ((status === 201 || status === 409) && this.#refused.delete(name)) this.#lastMadeGoodMs = performance.now();
    return 'pass' as const;
  }
}

function kindOf(name: string, wasRefused: boolean): Exclude<keyof Created, 'repeats'> {
  if (name.startsWith('pay-')) return 'pays';
  if (name.startsWith('close-')) return 'closes';
  const born = ORDER_BORN.exec(name)?.[1] ?? '';
  const bornMs = [...born].reduce((sum, char) => sum * BASE32.length + BASE32.indexOf(char), 0);
  return wasRefused || Date.now() - bornMs > FRESH_SECONDS_MAX * 1_000 ? 'due' : 'fresh';
}
