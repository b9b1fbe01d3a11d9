/**
 * The OpenAPI document of the participant routes: whole in itself, and in step with the contract.
 */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { HEADERS } from './headers.ts';
import { renderOpenApi } from './openapi.ts';
import { DONE_STATES, FENCE_STATES, OPERATIONS, type Operation } from './operations.ts';
import { payloadSchemas } from './payloads.ts';
import { PROBLEM_CODES, PROBLEM_MEDIA_TYPE, problemSchema } from './problems.ts';

interface Schema {
  readonly description?: string;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly { readonly $ref: string }[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
}
interface Parameter {
  readonly name: string;
  readonly schema: Schema;
}
interface Response {
  readonly description: string;
  readonly headers: Readonly<Record<string, { readonly schema: Schema }>>;
  readonly content: Readonly<Record<string, Content>>;
}
interface Content {
  readonly schema: Schema;
  readonly examples: Readonly<Record<string, { readonly value: unknown }>>;
}
type Referred<T> = T | { readonly $ref: string };
interface Route {
  readonly parameters: readonly Referred<Parameter>[];
  readonly requestBody: { readonly required: boolean };
  readonly responses: Readonly<Record<string, Referred<Response>>>;
}
interface Document {
  readonly paths: Readonly<Record<string, { readonly post: Route }>>;
  readonly components: Readonly<Record<'parameters' | 'headers' | 'responses', Readonly<Record<string, unknown>>>> & {
    readonly parameters: Readonly<Record<string, Parameter>>;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

const text = renderOpenApi();
const document = JSON.parse(text) as Document;
const { schemas, parameters } = document.components;
const page = readFileSync(new URL('../../../docs/reference/participant-protocol.md', import.meta.url), 'utf8');

/** What a JSON pointer within the document points at. */
function at(reference: string): unknown {
  const steps = reference.replace(/^#\//, '').split('/');
  return steps.reduce<unknown>(
    (place, step) =>
      (place as Readonly<Record<string, unknown>> | undefined)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')],
    document,
  );
}

function resolved<T extends object>(value: Referred<T>): T {
  return '$ref' in value ? (at(value.$ref) as T) : value;
}

const routeOf = (operation: Operation): Route => document.paths[`/${operation}`]!.post;
const responseOf = (operation: Operation, status: string): Response => resolved(routeOf(operation).responses[status]!);
const refusalOf = (operation: Operation): Content => responseOf(operation, '409').content[PROBLEM_MEDIA_TYPE]!;
const codesOf = (operation: Operation): readonly string[] => Object.keys(refusalOf(operation).examples);

test('every reference leads somewhere', () => {
  const references = [...text.matchAll(/"\$ref": "([^"]+)"/g)].map(([, reference]) => reference!);
  expect(references.length).toBeGreaterThan(0);
  expect(references.filter((reference) => !reference.startsWith('#/') || at(reference) === undefined)).toEqual([]);
});

test('every part of it is used', () => {
  const parts = (['parameters', 'headers', 'responses', 'schemas'] as const).flatMap((kind) =>
    Object.keys(document.components[kind]).map((name) => `#/components/${kind}/${name}`),
  );
  expect(parts.filter((part) => !text.includes(`"${part}"`))).toEqual([]);
});

describe.each(OPERATIONS)('the %s', (operation) => {
  test('has every header of the request, and a required payload unless it is a cancel', () => {
    const onDecision = [HEADERS.reason, HEADERS.detail];
    const ofAnswers: readonly string[] = [HEADERS.state, HEADERS.retryAfter];
    const expected = Object.values(HEADERS).filter(
      (header) => !ofAnswers.includes(header) && (operation !== 'try' || !onDecision.some((other) => other === header)),
    );
    const found = routeOf(operation).parameters.map((parameter) => resolved(parameter));
    expect(found.map(({ name }) => name.toLowerCase()).toSorted()).toEqual(expected.toSorted());
    for (const parameter of found) expect(parameter).toMatchObject({ in: 'header', description: expect.any(String) });
    expect(routeOf(operation).requestBody.required).toBe(operation !== 'cancel');
  });

  test('is described in every status, with what the controller does then', () => {
    const { responses } = routeOf(operation);
    expect(Object.keys(responses)).toEqual(['200', '400', '401', '403', '409', '421', '425', '5XX']);
    for (const response of Object.values(responses)) expect(resolved(response).description).toMatch(/controller/);
  });

  test('is done with the states that fit, and with no other', () => {
    expect(responseOf(operation, '200').headers['Ordertx-State']?.schema.enum).toEqual(DONE_STATES[operation]);
  });

  test('is refused with the codes that the contract’s page has for it', () => {
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \|/gm)].filter(([, code]) =>
      PROBLEM_CODES.some((known) => known === code),
    );
    expect(rows).toHaveLength(PROBLEM_CODES.length);
    const ofPage = rows.filter(([, , on]) => new RegExp(`\\b${operation}\\b`).test(on ?? '')).map(([, code]) => code);
    expect(codesOf(operation).toSorted()).toEqual(ofPage.toSorted());
  });

  test('shows refusals that are problem documents', () => {
    const { examples, schema } = refusalOf(operation);
    for (const [code, { value }] of Object.entries(examples)) {
      expect(problemSchema.parse(value)).toMatchObject({ status: 409, code, detail: expect.stringMatching(/\w/) });
    }
    expect(schema.allOf?.[1]?.properties?.code?.enum).toEqual(Object.keys(examples));
  });
});

test('every state and code of the contract is named', () => {
  expect(schemas.FenceState?.enum).toEqual(FENCE_STATES);
  expect(schemas.Operation?.enum).toEqual(OPERATIONS);
  expect(schemas.Refusal?.allOf?.[1]?.properties?.code?.enum).toEqual(PROBLEM_CODES);
  expect(new Set(OPERATIONS.flatMap(codesOf))).toEqual(new Set(PROBLEM_CODES));
});

test('every payload is there, as its own JSON Schema file has it', () => {
  const folder = new URL('../schemas/', import.meta.url);
  const references = schemas.Payload?.anyOf?.map(({ $ref }) => $ref) ?? [];
  const files = Object.keys(payloadSchemas).map((flow) => {
    const schema = JSON.parse(readFileSync(new URL(`${flow}.json`, folder), 'utf8')) as Record<string, unknown>;
    const ofTheFile = ['$schema', '$id', '$comment'];
    return Object.fromEntries(Object.entries(schema).filter(([name]) => !ofTheFile.includes(name)));
  });
  expect(references.map(at)).toEqual(files);
});

test('the patterns of headers take what the controller sends', () => {
  const patternOf = (name: string) => new RegExp(parameters[name]?.schema.pattern ?? 'there is none', 'u');
  for (const transaction of ['shop/create-o1001', 'shop/a.b-c']) expect(transaction).toMatch(patternOf('transaction'));
  for (const nonsense of ['create-o1001', 'a/b/c', 'Shop/a']) expect(nonsense).not.toMatch(patternOf('transaction'));
  expect('inventory').toMatch(patternOf('branch'));
});
