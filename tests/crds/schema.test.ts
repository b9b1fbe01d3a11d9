/** Every field of both resources says what it means and where it ends: what `kubectl explain` shows, and the limits. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

interface Schema {
  readonly type: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly Record<string, unknown>[];
}

interface Crd {
  readonly spec: {
    readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: Schema } }];
  };
}

type Field = readonly [path: string, schema: Schema];

function fieldsOf(file: string): readonly Field[] {
  const crd = parse(readFileSync(join(import.meta.dirname, '../../crds', file), 'utf8')) as Crd;
  return walk('', crd.spec.versions[0].schema.openAPIV3Schema);
}

function walk(path: string, schema: Schema): readonly Field[] {
  return [
    [path, schema] as const,
    ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) => walk(`${path}.${name}`, property)),
    ...(schema.items ? walk(`${path}[]`, schema.items) : []),
  ];
}

/** The paths of the fields that break a rule: empty when all is well, and readable when not. */
const pathsWhere = (fields: readonly Field[], breaks: (schema: Schema) => boolean) =>
  fields.filter(([, schema]) => breaks(schema)).map(([path]) => path);

describe.each(['ordertransaction.yaml', 'transactionflow.yaml'])('%s', (file) => {
  const fields = fieldsOf(file);

  test('describes every field in whole sentences', () => {
    expect(pathsWhere(fields, ({ description }) => !/^[A-Z][^]+[.](\n|$)/.test(description ?? ''))).toEqual([]);
  });

  test('names every value of an enumeration in its description', () => {
    const unnamed = ({ enum: values = [], description = '' }: Schema) =>
      values.some((value) => !['True', 'False', 'Unknown'].includes(value) && !description.includes(value));
    expect(pathsWhere(fields, unnamed)).toEqual([]);
  });

  test('limits every string and every list', () => {
    const boundless = (schema: Schema) =>
      schema.type === 'string'
        ? schema.maxLength === undefined && schema.format === undefined
        : schema.type === 'array' && schema.maxItems === undefined;
    expect(pathsWhere(fields, boundless)).toEqual([]);
  });

  test('gives every list of objects a key, so that parts of it can be changed', () => {
    const keyless = (schema: Schema) =>
      schema.items?.type === 'object' &&
      (schema['x-kubernetes-list-type'] !== 'map' || schema['x-kubernetes-list-map-keys']?.length !== 1);
    expect(pathsWhere(fields, keyless)).toEqual([]);
  });

  test('has a sentence for every rule', () => {
    const mute = (schema: Schema) =>
      (schema['x-kubernetes-validations'] ?? []).some((rule) => !rule.message && !rule.messageExpression);
    expect(pathsWhere(fields, mute)).toEqual([]);
  });
});

describe('the states of a transaction', () => {
  const fields = new Map(fieldsOf('ordertransaction.yaml'));

  test.each(['.status.phase', '.status.decision', '.status.branches[].state', '.status.messages[].state'])(
    '%s says of each value that it is final or what it goes on to',
    (path) => {
      const { enum: values = [], description = '' } = fields.get(path)!;
      expect(values.length).toBeGreaterThan(1);
      const explained = (value: string) =>
        description.split('\n').some((line) => line.startsWith(`- ${value}: `) && /: final\b|[Gg]oes on to/.test(line));
      expect(values.filter((value) => !explained(value))).toEqual([]);
    },
  );

  test('only the payload takes fields that are not described', () => {
    expect(pathsWhere([...fields], (schema) => schema['x-kubernetes-preserve-unknown-fields'] === true)).toEqual([
      '.spec.payload',
    ]);
  });
});
