/**
 * The key set that service-account tokens are signed with, as participants need it to check them.
 *
 * The API server gives it to authenticated callers only, so the controller serves it on. The last good one is served
 * while the API server is away: keys change seldom, and a participant that restarts then must not be left without any.
 */
import type { Clock } from '../runtime/clock.ts';
import type { Transport } from './transport.ts';

/** How late, at most, a new key is known. */
const FRESH_MS = 60_000;
const REQUEST_MS = 5_000;

export class KeySet {
  readonly #transport: Transport;
  readonly #clock: Clock;
  #held: { readonly keys: unknown; readonly readAtMs: number } | undefined;
  #asking: Promise<unknown> | undefined;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /** The JSON Web Key Set; rejects while there has never been one. */
  async read(): Promise<unknown> {
    if (this.#held && this.#clock.monotonicMs() - this.#held.readAtMs < FRESH_MS) return this.#held.keys;
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<unknown> {
    const answer = await this.#transport.request<unknown>({
      method: 'GET',
      path: '/openid/v1/jwks',
      timeoutMs: REQUEST_MS,
    });
    if (answer.kind === 'ok') {
      this.#held = { keys: answer.body, readAtMs: this.#clock.monotonicMs() };
      return answer.body;
    }
    if (this.#held) return this.#held.keys;
    throw new Error(answer.kind === 'error' ? answer.error.message : answer.message);
  }
}
