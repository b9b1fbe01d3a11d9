/**
 * Generates the TypeScript types of a custom resource from its CRD.
 *
 * The CRD's schema is the source; the parts of it that code speaks about get names of their own (`names`, by path).
 * A field with a default is typed as required: the API server fills it in, so whoever reads a stored object finds it.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { compile } from 'json-schema-to-typescript';
import type { JSONSchema } from 'json-schema-to-typescript';
import { parse } from 'yaml';

/** The subset of a structural schema that types are made of. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
}

interface CustomResourceDefinition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly [
      { readonly name: string; readonly schema: { readonly openAPIV3Schema: Schema } },
      ...unknown[],
    ];
  };
}

export interface ResourceTypes {
  /** Path of the CRD, from the repository's root. */
  readonly crd: string;
  /** Type name by path in the schema; `[]` is a list's item. */
  readonly names: Readonly<Record<string, string>>;
}

const ROOT = resolve(import.meta.dirname, '..');

const COMPILE_OPTIONS = {
  additionalProperties: false,
  bannerComment: '',
  ignoreMinAndMaxItems: true,
  strictIndexSignatures: false,
  format: true,
  style: { printWidth: 120, singleQuote: true },
} as const;

export async function renderResourceTypes(resource: ResourceTypes): Promise<string> {
  const crd = parse(readFileSync(resolve(ROOT, resource.crd), 'utf8')) as CustomResourceDefinition;
  const version = crd.spec.versions[0];
  const kind = crd.spec.names.kind;

  const definitions: Record<string, JSONSchema> = {};
  const root = toJsonSchema(version.schema.openAPIV3Schema, '', resource.names, definitions);
  const schema: JSONSchema = {
    ...root,
    definitions,
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    properties: {
      apiVersion: { const: `${crd.spec.group}/${version.name}` },
      kind: { const: kind },
      metadata: { tsType: 'ObjectMeta' },
      ...root.properties,
    },
  };
  return header(resource.crd) + readonly(await compile(schema, kind, COMPILE_OPTIONS));
}

function header(crd: string): string {
  return `/**
 * Generated from ${crd} by \`npm run generate\`; do not edit.
 *
 * These are objects as the API server returns them: a field that has a default in the CRD is always there.
 */
import type { ObjectMeta } from '../object-meta.ts';

`;
}

/** The structural schema as JSON Schema, with every named part moved to `definitions`. */
function toJsonSchema(
  schema: Schema,
  path: string,
  names: Readonly<Record<string, string>>,
  definitions: Record<string, JSONSchema>,
): JSONSchema {
  const result: JSONSchema = { type: schema.type as JSONSchema['type'] };
  if (schema.description !== undefined) result.description = schema.description.trim();
  if (schema.enum !== undefined) result.enum = [...schema.enum];
  if (schema.items !== undefined) result.items = toJsonSchema(schema.items, `${path}[]`, names, definitions);
  if (schema.additionalProperties !== undefined)
    result.additionalProperties = toJsonSchema(schema.additionalProperties, `${path}{}`, names, definitions);
  if (schema['x-kubernetes-preserve-unknown-fields']) result.additionalProperties = true;
  if (schema.properties !== undefined) {
    const properties = Object.entries(schema.properties);
    result.properties = Object.fromEntries(
      properties.map(([name, property]) => [
        name,
        toJsonSchema(property, path === '' ? name : `${path}.${name}`, names, definitions),
      ]),
    );
    const filledIn = properties.filter(([, property]) => property.default !== undefined).map(([name]) => name);
    result.required = [...new Set([...(schema.required ?? []), ...filledIn])];
  }

  const name = names[path];
  if (name === undefined) return result;
  definitions[name] = result;
  return { $ref: `#/definitions/${name}` };
}

/** json-schema-to-typescript cannot say readonly: stored objects are values here, a change makes a new one. */
function readonly(types: string): string {
  return types
    .replaceAll(/^( +)(\w+\??: )/gm, '$1readonly $2')
    .replaceAll(/^( +)(\[k: string\])/gm, '$1readonly $2')
    .replaceAll(/: (\w+)\[\];/g, ': readonly $1[];');
}
