/**
 * Quotes: whoever says what things cost (a shop's cart, a gateway) signs whom it was said to and which lines it was said of.
 *
 * `Quote-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<canonical JSON of {userId, lines}>">`. The JSON is canonical
 * (RFC 8785), so a gateway that writes the body anew on its way does no harm.
 */
import canonicalize from 'canonicalize';
import { judgeSignature, problem, type Reply } from '../../../kit/src/index.ts';
import type { OrderRequest } from '../orders.ts';

export const QUOTE_HEADER = 'Quote-Signature';
/** By as much the clock of whoever signs may be ahead. */
const AHEAD_SECONDS_MAX = 300;

export interface QuoteRules {
  /** Any of them counts; undefined: whoever calls is believed. */
  readonly secrets: readonly string[] | undefined;
  /** How long prices stand. */
  readonly ageSecondsMax: number;
}

/** Before the body is looked at: nobody learns of it without something that looks like a signature. */
export function unsignedProblem(header: string | undefined, rules: QuoteRules): Reply | undefined {
  if (rules.secrets === undefined) return undefined;
  const { kind, detail } = judge(header, { ...rules, secrets: [] }, '');
  return kind === 'missing' || kind === 'malformed' ? unsigned(detail) : undefined;
}

/** What is answered to an order that nobody quoted, or too long ago; undefined for a good one. */
export function quoteProblem(
  header: string | undefined,
  { userId, lines }: OrderRequest,
  { secrets, ageSecondsMax }: QuoteRules,
): Reply | undefined {
  if (secrets === undefined) return undefined;
  const { kind, detail } = judge(header, { secrets, ageSecondsMax }, canonicalize({ userId, lines }) ?? '');
  switch (kind) {
    case 'good':
      return undefined;
    case 'missing':
    case 'malformed':
    case 'wrong':
      return unsigned(detail);
    case 'old':
      return problem(422, { detail: `${detail}; ask for the prices again`, code: 'quote-expired' });
    case 'early':
      return problem(422, { detail: `${detail}; the clocks disagree`, code: 'quote-not-yet-valid' });
  }
}

function judge(header: string | undefined, rules: QuoteRules & { readonly secrets: readonly string[] }, text: string) {
  const { secrets, ageSecondsMax } = rules;
  const verdict = judgeSignature({
    ...{ name: QUOTE_HEADER, header, secrets, what: 'this user and these lines', text, nowMs: Date.now() },
    ...{ ageSecondsMax, aheadSecondsMax: AHEAD_SECONDS_MAX },
  });
  return verdict.kind === 'good' ? { ...verdict, detail: '' } : verdict;
}

function unsigned(detail: string): Reply {
  return problem(401, { detail, code: 'unsigned', headers: { 'www-authenticate': QUOTE_HEADER } });
}
