/**
 * Service-account tokens for participants, one for each audience, from the TokenRequest API.
 *
 * A token is asked for again at 80 % of its life, so one that is handed out always has some time left; until the new one
 * is there the old one serves. Any number of callers that need the same token share one request.
 */
import type { Clock } from '../runtime/clock.ts';
import { pathOf, SERVICE_ACCOUNTS } from './stored-object.ts';
import type { Transport } from './transport.ts';

/** Kubernetes grants no shorter life; a leaked token is worth little after it. */
const LIFE_SECONDS = 600;
const RENEW_AT_LIFE_PART = 0.8;
/** Of a participant's own skew of clock, and of the call's way there. */
const EXPIRY_MARGIN_MS = 10_000;
const REQUEST_MS = 5_000;

interface Held {
  readonly token: string;
  readonly renewAtMs: number;
  readonly expiresAtMs: number;
}

interface TokenRequestAnswer {
  readonly status: { readonly token: string; readonly expirationTimestamp: string };
}

export class ServiceAccountTokens {
  readonly #transport: Transport;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  readonly #asking = new Map<string, Promise<Held>>();

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
    const now = this.#clock.now();
    if (held && now < held.renewAtMs) return held.token;
    const asked = this.#ask(audience);
    if (!held || now >= held.expiresAtMs - EXPIRY_MARGIN_MS) return (await asked).token;
    asked.catch(() => undefined); // The held one is still good: the next call asks again.
    return held.token;
  }

  #ask(audience: string): Promise<Held> {
    const underWay = this.#asking.get(audience);
    if (underWay) return underWay;
    const asking = this.#request(audience).finally(() => this.#asking.delete(audience));
    this.#asking.set(audience, asking);
    return asking;
  }

  async #request(audience: string): Promise<Held> {
    const askedAtMs = this.#clock.now();
    const answer = await this.#transport.request<TokenRequestAnswer>({
      method: 'POST',
      path: this.#path,
      timeoutMs: REQUEST_MS,
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
    const { token, expirationTimestamp } = answer.body.status;
    const expiresAtMs = Date.parse(expirationTimestamp);
    const renewAtMs = askedAtMs + (expiresAtMs - askedAtMs) * RENEW_AT_LIFE_PART;
    const held = { token, renewAtMs, expiresAtMs };
    this.#held.set(audience, held);
    return held;
  }
}
