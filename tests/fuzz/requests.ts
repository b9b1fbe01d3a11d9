/**
 * Requests that an operation's document allows.
 *
 * A header's schema says its form where the form is one that a schema can say. The participant protocol's headers belong together
 * (the key repeats the transaction, the branch and the operation), so they are made as a whole, from the words of their descriptions.
 */
import fc from 'fast-check';
import type { Operation, Parameter } from './openapi-document.ts';
import { valuesOf, type KnownIds } from './schema-values.ts';

/** A request in parts, so that a mutation can take one of them. */
export interface FuzzRequest {
  readonly method: string;
  /** Decoded, by the parameter's name. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: readonly (readonly [string, string])[];
  /** By the names that the document gives. */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: no body. */
  readonly body: unknown;
}

/** A participant call that can be answered with a yes, because what it needs is there. */
export interface KnownCall {
  /** `<namespace>/<name>` */
  readonly transaction: string;
  readonly payload: unknown;
}

export interface Known {
  readonly ids: KnownIds;
  /** Whose transactions the service takes part in. */
  readonly namespace: string;
  /** By path, e.g. `/tcc/pay-order/confirm`. */
  readonly calls: Readonly<Record<string, readonly KnownCall[]>>;
}

/** Stands for the signature of what is sent, which is known only when it is sent. */
export const SIGNED_WHEN_SENT = 'signed-when-sent';

const HEADER_CHARS_MAX = 200;
/** What HTTP carries in a header for sure; blanks at the ends are not part of the value. */
const HEADER_TEXT = fc
  .string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) })
  .map((text) => text.trim().slice(0, HEADER_CHARS_MAX));

/** Headers of which a free text would say nothing, or would wait for longer than the run has time. */
const TELLING: Readonly<Record<string, fc.Arbitrary<string>>> = {
  prefer: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('wait=0', 'WAIT = "0"', 'respond-async, wait=0', 'wait=0; a=b') },
    { weight: 1, arbitrary: fc.constant('wait=1') },
  ),
  traceparent: fc.oneof(HEADER_TEXT, fc.constant('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')),
  'payment-signature': fc.oneof(
    { weight: 3, arbitrary: fc.constant(SIGNED_WHEN_SENT) },
    { weight: 1, arbitrary: fc.constantFrom('t=1,v1=00', `t=1700000000,v1=${'0'.repeat(64)}`) },
    { weight: 1, arbitrary: HEADER_TEXT },
  ),
  'ordertx-attempt': fc.integer({ min: 1, max: 999_999_999 }).map(String),
  'ordertx-reason': fc.constantFrom('', 'AllTried', 'TryRefused', 'A', 'Z'.repeat(64)),
  'ordertx-detail': fc.oneof(
    fc.constantFrom('', '%F0%9F%AB%96', '%00', 'x'.repeat(512)),
    fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => encodeURIComponent(text).slice(0, 512)),
  ),
};
/** Without it a withdrawal waits for seconds, and nobody here carries out what it waits for. */
const ALWAYS_SENT = ['prefer'];

export function validRequests(operation: Operation, known: Known): fc.Arbitrary<FuzzRequest> {
  const { method, parameters } = operation;
  const inPlace = (place: Parameter['in']) => parameters.filter((parameter) => parameter.in === place);
  const params = fc.record(fieldsOf(inPlace('path'), known.ids));
  const query = fc
    .record(fieldsOf(inPlace('query'), known.ids), { requiredKeys: requiredOf(inPlace('query')) })
    .map((values) => Object.entries(values));
  const calls = known.calls[operation.path] ?? [];
  const fresh = fc.tuple(headersOf(inPlace('header'), operation, known), bodiesOf(operation, known));
  const knownCalls = calls.map(({ transaction, payload }) =>
    fc.tuple(headersOf(inPlace('header'), operation, known, transaction), fc.constant<unknown>(payload)),
  );
  const said = fc.oneof(
    { weight: 3 * Math.max(1, calls.length), arbitrary: fresh },
    ...knownCalls.map((arbitrary) => ({ weight: 1, arbitrary })),
  );
  return fc.tuple(params, query, said).map(([madeParams, madeQuery, [headers, body]]) => ({
    method,
    params: madeParams,
    query: madeQuery,
    headers,
    body,
  }));
}

function requiredOf(parameters: readonly Parameter[]): string[] {
  return parameters.filter(({ required }) => required).map(({ name }) => name);
}

function fieldsOf(parameters: readonly Parameter[], ids: KnownIds): Record<string, fc.Arbitrary<string>> {
  return Object.fromEntries(
    parameters.map(({ name, schema }) => [name, valuesOf(schema, ids, name) as fc.Arbitrary<string>]),
  );
}

function bodiesOf({ body, bodyRequired }: Operation, { ids }: Known): fc.Arbitrary<unknown> {
  if (body === undefined) return fc.constantFrom(undefined, {});
  const values = valuesOf(body, ids);
  return bodyRequired ? values : fc.option(values, { nil: undefined });
}

function headersOf(
  parameters: readonly Parameter[],
  operation: Operation,
  known: Known,
  knownTransaction?: string,
): fc.Arbitrary<Record<string, string>> {
  const transactions =
    knownTransaction === undefined
      ? fc.stringMatching(/^[a-z0-9]{1,20}$/).map((name) => `${known.namespace}/${flowOf(operation)}-${name}`)
      : fc.constant(knownTransaction);
  const alone = fc.record(Object.fromEntries(parameters.map((header) => [header.name, headerValues(header)])), {
    requiredKeys: parameters
      .filter(({ required, name }) => required || ALWAYS_SENT.includes(name.toLowerCase()))
      .map(({ name }) => name),
  });
  if (!operation.participant) return alone;
  return fc.tuple(alone, transactions).map(([headers, transaction]) => {
    const said = (name: string): string => parameters.find((header) => header.name === name)?.description ?? '';
    const branch = said('Ordertx-Branch');
    const call = said('Ordertx-Operation');
    return {
      ...headers,
      'Ordertx-Transaction': transaction,
      'Ordertx-Branch': branch,
      'Ordertx-Operation': call,
      'Idempotency-Key': said('Idempotency-Key')
        .replace('<namespace>/<name>', transaction)
        .replace('<branch>', branch)
        .replace('<operation>', call),
    };
  });
}

/** A branch belongs to the path at which it was first called. */
function flowOf({ path }: Operation): string {
  return path.split('/').at(-2) ?? '';
}

function headerValues({ name, schema }: Parameter): fc.Arbitrary<string> {
  const telling = TELLING[name.toLowerCase()];
  if (telling !== undefined) return telling;
  if (schema.pattern === undefined) return HEADER_TEXT;
  return valuesOf(schema, {}) as fc.Arbitrary<string>;
}
