/**
 * Who may call the participant routes: the controller, and nobody else.
 *
 * A token is good when its signature is by a key of the set and issuer, audience, expiry **and subject** are right. A cluster signs
 * tokens for every one of its service accounts, so without the subject any of them could ask for one with our audience.
 */
import { errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { KeysUnavailable, keySet, type KeySource } from './keys.ts';

/** What Kubernetes signs service-account tokens with; nothing symmetric, and never `none`. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
/** Between the clocks of two machines that keep time. */
const CLOCK_TOLERANCE_SECONDS = 5;

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

/** Checks the value of an Authorization header; keeps the key set between calls. */
export function tokenCheck(rules: TokenRules): (authorization: string | undefined) => Promise<TokenCheck> {
  const keys = keySet(rules.keys);
  return async (authorization) => {
    if (authorization === undefined) return { kind: 'bad', detail: 'authorization: is missing; send a bearer token' };
    const token = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
    if (token === undefined) return { kind: 'bad', detail: 'authorization: must be "Bearer" and one token' };
    return verify(token, rules, keys);
  };
}

async function verify(token: string, rules: TokenRules, keys: JWTVerifyGetKey): Promise<TokenCheck> {
  try {
    await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      issuer: rules.issuer,
      audience: rules.audience,
      subject: rules.subject,
      requiredClaims: ['exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    return { kind: 'good' };
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
