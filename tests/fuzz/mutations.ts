/**
 * One thing wrong with a request that was right.
 *
 * Each mutation says what a 400 has to name. What is wrong inside a JSON body may by chance still be right; that is for the body's
 * schema to say, so `mustBeRefused` is set only where it says no.
 */
import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import type { WireRequest } from './exchange.ts';
import { bodySites, changedAt, JUNK, jsonText, ODD_NAMES, printable, type Site } from './body-junk.ts';
import { checker, type Operation, type Parameter } from './openapi-document.ts';
import type { FuzzRequest } from './requests.ts';

export interface FuzzCase {
  readonly wire: WireRequest;
  /** What was done to it; undefined for a case that the document allows. */
  readonly mutation: string | undefined;
  /** A 400 has to say one of these. */
  readonly names: readonly string[];
  /** What the document does not allow: never a 2xx. */
  readonly mustBeRefused: boolean;
}

interface Parts {
  readonly operation: Operation;
  readonly request: FuzzRequest;
  /** Chooses among what there is. */
  readonly pick: <T>(items: readonly [T, ...T[]]) => T;
}
type Mutation = (parts: Parts) => FuzzCase;

export const BODY_BYTES_TOO_MANY = 200_000;
const NESTING = 40_000;
const JSON_TYPE = { 'content-type': 'application/json' };
/** Neither of these stands in a field of ours. */
const JUNK_TEXTS = [
  '',
  ' ',
  'UPPER',
  '-',
  'a/b',
  'a b',
  'é',
  '\u{1F600}',
  'a\u0000b',
  'a\n',
  '..',
  "a' or 1=1",
  'x'.repeat(1_000),
] as const;
/** In a request line no client would write. */
const JUNK_STEPS = [
  '%',
  '%E0%A4%A',
  '%ff',
  '%ED%A0%80',
  '%zz',
  '%2e%2e%2f',
  '%00',
  '%25',
  '%2F',
  'a;b=c',
  'a%0d%0aX: y',
  'é',
] as const;

export function validCase(operation: Operation, request: FuzzRequest): FuzzCase {
  return { wire: toWire(operation, request), mutation: undefined, names: [], mustBeRefused: false };
}

export function mutatedCases(operation: Operation, requests: fc.Arbitrary<FuzzRequest>): fc.Arbitrary<FuzzCase> {
  const mutations = mutationsFor(operation);
  return fc
    .tuple(requests, fc.constantFrom(...mutations), fc.infiniteStream(fc.nat()))
    .map(([request, mutation, numbers]) =>
      mutation({
        ...{ operation, request },
        pick: (items) => items[(numbers.next().value ?? 0) % items.length] ?? items[0],
      }),
    );
}

export function toWire(operation: Operation, request: FuzzRequest): WireRequest {
  const { method, params, query, headers, body } = request;
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
  const search = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
  return {
    method,
    target: search === '' ? path : `${path}?${search}`,
    headers: { ...headers, ...(body === undefined ? {} : JSON_TYPE) },
    body: body === undefined ? undefined : Buffer.from(jsonText(body)),
  };
}

function mutationsFor(operation: Operation): readonly Mutation[] {
  const { parameters, body, method } = operation;
  const has = (place: Parameter['in']): boolean => parameters.some((parameter) => parameter.in === place);
  return [
    otherMethod,
    ...(has('path') ? [otherPathValue, garbledPath] : []),
    ...(has('query') ? [otherQueryValue, missingQuery, unknownQuery, repeatedQuery] : []),
    ...(has('header') ? [otherHeader, otherHeader, missingHeader] : []),
    ...(body === undefined
      ? [unwantedBody]
      : [junkInBody, junkInBody, junkInBody, missingField, missingField, unknownField]),
    ...(body === undefined ? [] : [repeatedKey, missingBody]),
    ...(method === 'GET' ? [] : [brokenJson, wholeBody, otherMediaType, wrongEncoding, oversizedBody]),
  ];
}

interface Outcome {
  readonly mutation: string;
  readonly names: readonly string[];
  readonly mustBeRefused: boolean;
}

function changedWire({ operation, request }: Parts, change: Partial<WireRequest>, outcome: Outcome): FuzzCase {
  return { wire: { ...toWire(operation, request), ...change }, ...outcome };
}

function changedRequest({ operation, request }: Parts, change: Partial<FuzzRequest>, outcome: Outcome): FuzzCase {
  return { wire: toWire(operation, { ...request, ...change }), ...outcome };
}

/** Of what is there in this place; a mutation is offered only where there is something. */
function oneOf(parts: Parts, place: Parameter['in']): Parameter {
  const [first, ...others] = parts.operation.parameters.filter((parameter) => parameter.in === place);
  if (first === undefined) throw new Error(`${parts.operation.title} has nothing in ${place}`);
  return parts.pick([first, ...others]);
}

function allowed({ schema }: Parameter, value: string): boolean {
  return checker(schema).safeParse(value).success;
}

const otherMethod: Mutation = (parts) => {
  const others = ['PATCH', 'DELETE', 'PUT', 'POST', 'GET', 'TRACE'].filter(
    (method) => !parts.operation.methods.includes(method),
  );
  const method = parts.pick(['PROPFIND', ...others]);
  return changedRequest(parts, { method }, { mutation: `method ${method}`, names: [], mustBeRefused: true });
};

const otherPathValue: Mutation = (parts) => {
  const parameter = oneOf(parts, 'path');
  const value = parts.pick(JUNK_TEXTS);
  const { params } = parts.request;
  const outcome = { mutation: `${parameter.name} ${JSON.stringify(value.slice(0, 20))}`, names: [parameter.name] };
  const mustBeRefused = !allowed(parameter, value);
  return changedRequest(parts, { params: { ...params, [parameter.name]: value } }, { ...outcome, mustBeRefused });
};

const garbledPath: Mutation = (parts) => {
  const { name } = oneOf(parts, 'path');
  const step = parts.pick(JUNK_STEPS);
  const marked = toWire(parts.operation, { ...parts.request, params: { ...parts.request.params, [name]: 'GARBLED' } });
  const target = marked.target.replace('GARBLED', Buffer.from(step.replaceAll(' ', '%20')).toString('latin1'));
  return changedWire(parts, { target }, { mutation: `${name} as ${step}`, names: [name, 'path'], mustBeRefused: true });
};

const otherQueryValue: Mutation = (parts) => {
  const parameter = oneOf(parts, 'query');
  const value = parts.pick(JUNK_TEXTS);
  const query = [...parts.request.query.filter(([name]) => name !== parameter.name), [parameter.name, value] as const];
  const outcome = { mutation: `${parameter.name}=${value.slice(0, 20)}`, names: [parameter.name] };
  return changedRequest(parts, { query }, { ...outcome, mustBeRefused: !allowed(parameter, value) });
};

const missingQuery: Mutation = (parts) => {
  const { name, required } = oneOf(parts, 'query');
  const query = parts.request.query.filter(([other]) => other !== name);
  return changedRequest(parts, { query }, { mutation: `no ${name}`, names: [name], mustBeRefused: required });
};

const unknownQuery: Mutation = (parts) => {
  const name = parts.pick(['page', '__proto__', 'constructor', 'x'.repeat(300)]);
  const query = [...parts.request.query, [name, '1'] as const];
  const names = [printable(name), 'query'];
  return changedRequest(parts, { query }, { mutation: `query ${name.slice(0, 20)}`, names, mustBeRefused: true });
};

const repeatedQuery: Mutation = (parts) => {
  const { name } = oneOf(parts, 'query');
  const value = parts.pick(['b', 'a']);
  const query = [
    ...parts.request.query.filter(([other]) => other !== name),
    [name, 'a'] as const,
    [name, value] as const,
  ];
  return changedRequest(parts, { query }, { mutation: `${name} twice`, names: [name], mustBeRefused: true });
};

const otherHeader: Mutation = (parts) => {
  const { name } = oneOf(parts, 'header');
  const value = parts.pick([
    '',
    '0',
    '-1',
    '1.5',
    'UPPER',
    'a/b',
    'a/b/c',
    '%',
    '%E0%A4%A',
    'a\tb',
    'caf\u00e9',
    'x'.repeat(1_000),
    '{"a":1}',
    ',;="',
  ]);
  const headers = { ...parts.request.headers, [name]: value };
  return changedRequest(
    parts,
    { headers },
    { mutation: `${name}: ${value.slice(0, 20)}`, names: namesOfHeader(name), mustBeRefused: false },
  );
};

const missingHeader: Mutation = (parts) => {
  const { name, required } = oneOf(parts, 'header');
  const { [name]: _left, ...headers } = parts.request.headers;
  // Not waiting is a wish of this run's, see requests.ts.
  const kept = name === 'Prefer' ? parts.request.headers : headers;
  return changedRequest(
    parts,
    { headers: kept },
    { mutation: `no ${name}`, names: namesOfHeader(name), mustBeRefused: required },
  );
};

/** The key's form is made of other headers, so a wrong one of these may be told of either. */
function namesOfHeader(name: string): readonly string[] {
  return [name, name.toLowerCase(), 'idempotency-key'];
}

const unwantedBody: Mutation = (parts) => {
  const [body, names] = parts.pick<readonly [unknown, readonly string[]]>([
    [{ note: 1 }, ['note']],
    [JSON.parse('{"__proto__":1}'), ['__proto__']],
    [{ ['x'.repeat(300)]: 1 }, ['x'.repeat(100)]],
    [[], ['body']],
    [null, ['body']],
    ['text', ['body']],
    [0, ['body']],
  ]);
  return changedRequest(parts, { body }, { mutation: 'a body', names, mustBeRefused: true });
};

function changedBody(parts: Parts, body: unknown, mutation: string, names: readonly string[]): FuzzCase {
  const { operation } = parts;
  const wire = toWire(operation, { ...parts.request, body });
  const read: unknown = JSON.parse(wire.body?.toString('utf8') ?? '');
  const schema = operation.body ?? {};
  // A participant takes a body apart only after it has hashed the whole of it.
  const said = operation.participant ? [...names, 'body'] : names;
  return {
    wire,
    mutation,
    names: said,
    mustBeRefused: refusesBodies(operation) && !checker(schema).safeParse(read).success,
  };
}

/** A cancel is never turned away for what it carries (the participant protocol). */
function refusesBodies({ participant, path }: Operation): boolean {
  return !(participant && path.endsWith('/cancel'));
}

/** What is sent instead of a body that may be left out. */
function bodyOf({ request }: Parts): unknown {
  return request.body ?? {};
}

function oneSite(parts: Parts): Site {
  const [first, ...others] = bodySites(bodyOf(parts));
  return first === undefined ? { path: [], names: ['body'] } : parts.pick([first, ...others]);
}

const junkInBody: Mutation = (parts) => {
  const { path, names } = oneSite(parts);
  const junk = parts.pick(JUNK);
  // Another object instead of the whole may be told of by what it lacks.
  const lacking = path.length === 0 ? Object.keys(parts.operation.body?.properties ?? {}) : [];
  return changedBody(parts, changedAt(bodyOf(parts), path, junk.value), `${path.join('.') || 'body'}: ${junk.label}`, [
    ...names,
    ...lacking,
  ]);
};

const missingField: Mutation = (parts) => {
  const fields = bodySites(bodyOf(parts)).filter(({ path }) => typeof path.at(-1) === 'string');
  const [first, ...others] = fields;
  if (first === undefined) return unknownField(parts);
  const { path, names } = parts.pick([first, ...others]);
  return changedBody(parts, changedAt(bodyOf(parts), path, undefined), `no ${path.join('.')}`, names);
};

const unknownField: Mutation = (parts) => {
  const name = parts.pick(ODD_NAMES);
  const objects = bodySites(bodyOf(parts)).filter(({ isObject }) => isObject);
  const [first, ...others] = objects;
  const { path } = first === undefined ? { path: [] } : parts.pick([first, ...others]);
  const body = changedAt(bodyOf(parts), [...path, name], 1);
  return changedBody(parts, body, `unknown ${JSON.stringify(name.slice(0, 20))} in ${path.join('.') || 'body'}`, [
    printable(name),
  ]);
};

const repeatedKey: Mutation = (parts) => {
  const text = jsonText(bodyOf(parts));
  const [key = 'note'] = Object.keys(bodyOf(parts) as object);
  const body = `{${JSON.stringify(key)}:[1],${text.slice(1).replace(/^\}/, '"x":1}')}`;
  return changedWire(
    parts,
    { headers: { ...parts.request.headers, ...JSON_TYPE }, body: Buffer.from(body) },
    { mutation: `${key} twice`, names: [key, 'x', 'body'], mustBeRefused: false },
  );
};

const missingBody: Mutation = (parts) =>
  changedRequest(
    parts,
    { body: undefined },
    {
      ...{ mutation: 'no body', names: ['body'] },
      mustBeRefused: parts.operation.bodyRequired && refusesBodies(parts.operation),
    },
  );

function rawBody(
  parts: Parts,
  body: Buffer | string,
  mutation: string,
  headers: Readonly<Record<string, string>> = {},
): FuzzCase {
  return changedWire(
    parts,
    { headers: { ...parts.request.headers, ...JSON_TYPE, ...headers }, body: Buffer.from(body) },
    { mutation, names: ['body'], mustBeRefused: refusesBodies(parts.operation) },
  );
}

const brokenJson: Mutation = (parts) => {
  const text = parts.pick([
    '{',
    '{"a":',
    '[1,]',
    '{"a":1}}',
    "{'a':1}",
    '{"a":NaN}',
    '\u0000',
    '{"a":"\n"}',
    'undefined',
    '{"a":1',
    '\ufeff{',
    '"\\ud8"',
  ]);
  return rawBody(parts, text, `broken JSON ${text}`);
};

const wholeBody: Mutation = (parts) => {
  const nested = '['.repeat(NESTING) + ']'.repeat(NESTING);
  const objects = '{"a":'.repeat(NESTING / 4) + '1' + '}'.repeat(NESTING / 4);
  const text = parts.pick(['[]', '[{}]', 'null', 'true', '0', '1e999', '"text"', '"\\ud800"', nested, objects]);
  const outcome = rawBody(parts, text, `the body ${text.slice(0, 20)}`);
  return { ...outcome, names: ['body', 'a: '] };
};

const otherMediaType: Mutation = (parts) => {
  const type = parts.pick([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    'json',
    'application/json; charset=ebcdic',
    '',
  ]);
  return rawBody(parts, jsonText(bodyOf(parts)), `content-type "${type}"`, { 'content-type': type });
};

const wrongEncoding: Mutation = (parts) => {
  const text = jsonText(bodyOf(parts));
  const bomb = gzipSync(`{"a":"${'x'.repeat(BODY_BYTES_TOO_MANY)}"}`);
  const [encoding, body] = parts.pick<readonly [string, Buffer | string]>([
    ['gzip', text],
    ['deflate', text],
    ['br', text],
    ['snappy', text],
    ['gzip', bomb],
    ['gzip', bomb.subarray(0, 40)],
  ]);
  return rawBody(parts, body, `content-encoding ${encoding}`, { 'content-encoding': encoding });
};

const oversizedBody: Mutation = (parts) =>
  rawBody(parts, `{"note":"${'x'.repeat(BODY_BYTES_TOO_MANY)}"}`, 'a body that is too large');
