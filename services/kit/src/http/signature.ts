/**
 * Signatures in a header: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<text>">`.
 *
 * What the text is belongs to whoever has the header. The time is signed as well, so that how long a signature counts is the
 * verifier's to say. Several secrets may count at once, so that one can be replaced without an interruption.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';

/** Enough that nobody guesses it; what providers give out is longer. */
export const SECRET_CHARS_MIN = 16;
/** The one in use and the one before it; more are a list that nobody tidies. */
const SECRETS_MAX = 2;

const FORM = /^t=(?<seconds>\d{1,12}),v1=(?<digest>[0-9a-f]{64})$/i;

export interface SignedText {
  /** The header's name, for the words. */
  readonly name: string;
  /** As it came. */
  readonly header: string | undefined;
  /** Any of them counts. */
  readonly secrets: readonly string[];
  /** What has to be signed with the time, in words: "this payment and body". */
  readonly what: string;
  readonly text: string;
  readonly nowMs: number;
  /** How old it may be. */
  readonly ageSecondsMax: number;
  /** How far ahead of this clock it may be. */
  readonly aheadSecondsMax: number;
}

export type SignatureVerdict =
  | { readonly kind: 'good' }
  /** `detail` names the header and gives nothing of the secret away. */
  | { readonly kind: 'missing' | 'malformed' | 'wrong' | 'old' | 'early'; readonly detail: string };

/** Old or early is only what is otherwise good: by it nobody learns anything about a text that was not signed. */
export function judgeSignature(signed: SignedText): SignatureVerdict {
  const { name, header, secrets, what, text, nowMs, ageSecondsMax, aheadSecondsMax } = signed;
  if (header === undefined)
    return { kind: 'missing', detail: `${name}: is missing; send t=<unix seconds>,v1=<HMAC-SHA256>` };
  const { seconds, digest } = FORM.exec(header)?.groups ?? {};
  if (seconds === undefined || digest === undefined)
    return { kind: 'malformed', detail: `${name}: must be t=<unix seconds>,v1=<64 hexadecimal digits>` };
  const given = Buffer.from(digest, 'hex');
  // Every secret is tried, so that the time taken does not tell which one it was.
  const matches = secrets.map((secret) => timingSafeEqual(hmac(secret, `${seconds}.${text}`), given));
  if (!matches.includes(true)) {
    const detail = `${name}: is not the signature of ${what} at this time with the secret that was agreed`;
    return { kind: 'wrong', detail };
  }
  const ageSeconds = nowMs / 1_000 - Number(seconds);
  if (ageSeconds > ageSecondsMax) return { kind: 'old', detail: `${name}: is more than ${ageSecondsMax} s old` };
  if (ageSeconds < -aheadSecondsMax)
    return { kind: 'early', detail: `${name}: is more than ${aheadSecondsMax} s ahead of the present` };
  return { kind: 'good' };
}

/** The header's value, as `judgeSignature` wants it. */
export function sign({
  secret,
  text,
  nowMs,
}: { readonly secret: string } & Pick<SignedText, 'text' | 'nowMs'>): string {
  const seconds = Math.floor(nowMs / 1_000);
  return `t=${seconds},v1=${hmac(secret, `${seconds}.${text}`).toString('hex')}`;
}

function hmac(secret: string, text: string): Buffer {
  return createHmac('sha256', secret).update(text).digest();
}

/** For a setting: the secrets that count, separated by commas, the one that is signed with first. */
export const signingSecrets = z
  .string()
  .transform((text): readonly string[] => text.split(',').map((secret) => secret.trim()))
  .pipe(
    z
      .array(z.string().min(SECRET_CHARS_MIN, `must have at least ${SECRET_CHARS_MIN} characters in each secret`))
      .max(SECRETS_MAX, `must be at most ${SECRETS_MAX} secrets, separated by a comma`)
      .readonly(),
  );
