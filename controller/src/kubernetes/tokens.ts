/**
 * Service-account tokens for participants, one for each audience, from the TokenRequest API.
 *
 *  K1  How long a token is good is counted from before it was asked for, by the life that was asked for, on the monotonic
 *      clock: the API server's clock and ours are never compared, so a wrong one costs neither tokens nor calls.
 *  K2  A token is asked for again at 80 % of its life, so one that is handed out always has some time left; until the new
 *      one is there the old one serves.
 *  K3  One that a participant does not accept is thrown away. A participant that accepts none must not become a flood of
 *      requests: the next is thrown away DROP_PAUSE_MS later at the earliest.
 *  K4  Any number of callers that need the same token share one request, and for a short while its failure.
 */
import type { Clock } from '../runtime/clock.ts';
import { pathOf, SERVICE_ACCOUNTS } from './stored-object.ts';
import type { Transport } from './transport.ts';

/** Kubernetes grants no shorter life; a leaked token is worth little after it. */
const LIFE_SECONDS = 600;
const RENEW_AT_LIFE_PART = 0.8;
/** Of a participant's own skew of clock, and of the call's way there. */
const EXPIRY_MARGIN_MS = 10_000;
const DROP_PAUSE_MS = 10_000;
/** Calls that fail for want of a token come again by their own back-off; here only those of the same moment are caught. */
const FAILURE_KEPT_MS = 500;

interface Held {
  readonly token: string;
  readonly renewAtMs: number;
  readonly expiresAtMs: number;
}

interface TokenRequestAnswer {
  /** The API server may grant less than was asked for. */
  readonly spec?: { readonly expirationSeconds?: number };
  readonly status: { readonly token: string };
}

export class ServiceAccountTokens {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  readonly #asking = new Map<string, Promise<Held>>();
  readonly #failed = new Map<string, { readonly error: unknown; readonly untilMs: number }>();
  readonly #droppedMs = new Map<string, number>();

  /** @param account the service account whose tokens these are, `<namespace>/<name>` */
  constructor(transport: Transport, account: string, clock: Clock) {
    const [namespace = '', name = ''] = account.split('/');
    this.#transport = transport;
    this.#path = `${pathOf(SERVICE_ACCOUNTS, namespace, name)}/token`;
    this.#clock = clock;
  }

  /** A token with this audience that is valid for some time yet; rejects when none can be had. */
  async get(audience: string): Promise<string> {
    const held = this.#held.get(audience);
    const nowMs = this.#clock.monotonicMs();
    if (held && nowMs < held.renewAtMs) return held.token;
    const asked = this.#ask(audience);
    if (!held || nowMs >= held.expiresAtMs - EXPIRY_MARGIN_MS) return (await asked).token;
    asked.catch(() => undefined); // The held one is still good: the next call asks again.
    return held.token;
  }

  /** K3. Says whether another one may be had at once. */
  drop(audience: string, token: string): boolean {
    const held = this.#held.get(audience);
    if (held?.token !== token) return true; // Somebody else dropped or renewed it meanwhile.
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < (this.#droppedMs.get(audience) ?? -Infinity) + DROP_PAUSE_MS) return false;
    this.#droppedMs.set(audience, nowMs);
    this.#held.delete(audience);
    return true;
  }

  async #ask(audience: string): Promise<Held> {
    const failed = this.#failed.get(audience);
    if (failed && this.#clock.monotonicMs() < failed.untilMs) throw failed.error;
    const underWay = this.#asking.get(audience);
    if (underWay) return underWay;
    const asking = this.#request(audience).finally(() => this.#asking.delete(audience));
    this.#asking.set(audience, asking);
    try {
      const held = await asking;
      this.#failed.delete(audience);
      return held;
    } catch (error) {
      this.#failed.set(audience, { error, untilMs: this.#clock.monotonicMs() + FAILURE_KEPT_MS });
      throw error;
    }
  }

  async #request(audience: string): Promise<Held> {
    const askedAtMs = this.#clock.monotonicMs();
    const answer = await this.#transport.request<TokenRequestAnswer>({
      method: 'POST',
      path: this.#path,
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { audiences: [audience], expirationSeconds: LIFE_SECONDS },
      },
    });
    if (answer.kind !== 'ok') {
      const why = answer.kind === 'error' ? answer.error.message : answer.message;
      throw new Error(`no token for the audience ${audience}: ${why}`);
    }
    const { spec, status } = answer.body;
    const lifeMs = Math.min(spec?.expirationSeconds ?? LIFE_SECONDS, LIFE_SECONDS) * 1000;
    const { token } = status;
    const held = { token, renewAtMs: askedAtMs + lifeMs * RENEW_AT_LIFE_PART, expiresAtMs: askedAtMs + lifeMs };
    this.#held.set(audience, held);
    return held;
  }
}
