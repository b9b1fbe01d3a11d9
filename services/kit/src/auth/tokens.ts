/**
 * Who may call the participant routes: the controller, and nobody else.
 *
 * A token is good when its signature is by a key of the set and issuer, audience, expiry **and subject** are right. A cluster signs
 * tokens for every one of its service accounts, so without the subject any of them could ask for one with our audience.
 *
 * The controller sends the same token for minutes, and checking a signature costs a call a tenth of its CPU time. So a token that
 * was good is remembered, the whole of it, until it expires and at most REMEMBERED_MS_MAX.
 */
import { errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { KeysUnavailable, keySet, type KeySetOptions, type KeySource } from './keys.ts';

/** What Kubernetes signs service-account tokens with; nothing symmetric, and never `none`. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
/**
 * Between the API server's clock, which dates tokens, and ours: less, and every new token would be "not valid yet" on a
 * machine that is a little behind; more, and a token that leaked would be good for longer after its end.
 */
const CLOCK_TOLERANCE_SECONDS = 30;
/** How long a key that was taken out of the set may go on being accepted; short beside what a key set is itself kept for. */
const REMEMBERED_MS_MAX = 60_000;
/** A few controllers' current tokens and their last ones; only good tokens get in, so nobody else can fill it. */
const REMEMBERED_TOKENS_MAX = 64;

export interface TokenRules {
  readonly audience: string;
  readonly issuer: string;
  /** The controller's: `system:serviceaccount:<namespace>:<name>`. */
  readonly subject: string;
  readonly keys: KeySource;
}
export type TokenSettings = { readonly auth: 'off' } | ({ readonly auth: 'on' } & TokenRules);

export type TokenCheck =
  | { readonly kind: 'good' }
  /** `detail` says what was wrong, and holds nothing of the token. */
  | { readonly kind: 'bad'; readonly detail: string }
  /** Not known whether it is good: the key set cannot be read. */
  | { readonly kind: 'unknown'; readonly error: unknown };

/**
 * Checks the value of an Authorization header; keeps the key set, and which tokens were good, between calls.
 *
 * @param now milliseconds since the epoch
 * @param keysOptions for the key set
 */
export function tokenCheck(
  rules: TokenRules,
  now: () => number = Date.now,
  keysOptions: KeySetOptions = {},
): (authorization: string | undefined) => Promise<TokenCheck> {
  const keys = keySet(rules.keys, keysOptions);
  const remembered = new RememberedTokens();
  return async (authorization) => {
    if (authorization === undefined) return { kind: 'bad', detail: 'authorization: is missing; send a bearer token' };
    const token = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
    if (token === undefined) return { kind: 'bad', detail: 'authorization: must be "Bearer" and one token' };
    const nowMs = now();
    if (remembered.has(token, nowMs)) return { kind: 'good' };
    const { expiresMs, ...check } = await verify(token, rules, keys, nowMs);
    if (expiresMs !== undefined) remembered.add(token, Math.min(expiresMs, nowMs + REMEMBERED_MS_MAX));
    return check;
  };
}

/** Good tokens, each until its moment; the oldest make room. */
class RememberedTokens {
  readonly #untilMs = new Map<string, number>();

  has(token: string, nowMs: number): boolean {
    return nowMs < (this.#untilMs.get(token) ?? 0);
  }

  add(token: string, untilMs: number): void {
    this.#untilMs.delete(token);
    this.#untilMs.set(token, untilMs);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > REMEMBERED_TOKENS_MAX && oldest !== undefined) this.#untilMs.delete(oldest);
  }
}

type Verified = TokenCheck & { readonly expiresMs?: number };

async function verify(token: string, rules: TokenRules, keys: JWTVerifyGetKey, nowMs: number): Promise<Verified> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      issuer: rules.issuer,
      audience: rules.audience,
      subject: rules.subject,
      requiredClaims: ['exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(nowMs),
    });
    return { kind: 'good', expiresMs: (payload.exp ?? 0) * 1_000 };
  } catch (error) {
    if (error instanceof KeysUnavailable) return { kind: 'unknown', error };
    return { kind: 'bad', detail: complaint(error) };
  }
}

const CLAIM_COMPLAINTS: Readonly<Record<string, string>> = {
  aud: 'the token is for another audience',
  iss: 'the token is from another issuer',
  sub: 'the token belongs to another subject',
  nbf: 'the token is not valid yet',
  exp: 'the token has no usable expiry',
};

function complaint(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return CLAIM_COMPLAINTS[error.claim] ?? 'a claim of the token is not right';
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey) {
    return "the token's signature is by no key of the set";
  }
  return 'the token is not a usable JSON Web Token';
}
