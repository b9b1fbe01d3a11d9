/**
 * Counts the changes of each CRD's schema: a changed one gets the next revision, in the CRD's annotation and in the list of all.
 *
 * The list is kept and only grows: a revision that was once given means one schema for good. Two branches that both changed a schema
 * meet in it as a conflict of text; what was generated is thrown away there and generated again.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { SCHEMA_DIGESTS } from '../crds/generated/schema-revisions.ts';
import { latestOf, renderRevision, SCHEMA_ANNOTATION } from '../crds/schema-revision.ts';

const ROOT = resolve(import.meta.dirname, '..');
const CRD_FILES = ['crds/ordertransaction.yaml', 'crds/transactionflow.yaml'] as const;
const DIGEST_CHARS = 16;

interface Version {
  readonly name: string;
  readonly schema: unknown;
  readonly subresources?: unknown;
  readonly selectableFields?: unknown;
}

export interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly Version[];
  };
}

/**
 * Of what a program relies on: fields, defaults, rules, subresources, what can be selected by. Not of descriptions and columns, which are
 * for people; nor of `served` and `storage`, which move while an API version is replaced (ADR 39).
 */
export function schemaDigest({ spec: { group, scope, names, versions } }: Crd): string {
  const relied = versions.map(({ name, schema, subresources, selectableFields }) => {
    return { name, schema, subresources, selectableFields };
  });
  const text = JSON.stringify(canonical([group, scope, names.kind, names.plural, relied]));
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_CHARS);
}

/** Keys in order, descriptions left out; a field that is called description is an object, and stays. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key, of]) => !(key === 'description' && typeof of === 'string'));
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, of]) => [key, canonical(of)]));
}

/** The digests so far, and this schema's where it is not the last of them: one that comes back is a new revision too. */
export function grown(digests: readonly string[], crd: Crd): readonly string[] {
  const digest = schemaDigest(crd);
  return digests.at(-1) === digest ? digests : [...digests, digest];
}

/** The CRD's text with the mark of its schema. Throws where there is no place for it. */
export function marked(text: string, digests: readonly string[]): string {
  const line = new RegExp(`^( +${SCHEMA_ANNOTATION}: ).*$`, 'm');
  if (!line.test(text))
    throw new Error(`the CRD has no annotation ${SCHEMA_ANNOTATION}: write ${SCHEMA_ANNOTATION}: ''`);
  const mark = renderRevision(latestOf(digests));
  return text.replace(line, (_line, key: string) => `${key}'${mark}'`);
}

export function renderCrd(path: string): string {
  const text = textOf(path);
  const crd = parse(text) as Crd;
  return marked(text, grown(keptOf(crd), crd));
}

export function renderSchemaRevisions(): string {
  const lists = CRD_FILES.map((path) => {
    const crd = parse(textOf(path)) as Crd;
    const digests = grown(keptOf(crd), crd).map((digest) => `    '${digest}',\n`);
    return `  '${crd.metadata.name}': [\n${digests.join('')}  ],\n`;
  });
  return `/**
 * Generated from crds/*.yaml by \`npm run generate\`, which adds to what stands here; do not edit.
 *
 * Digests of each CRD's schema: that of revision 1 first, the present one last.
 */
// prettier-ignore
export const SCHEMA_DIGESTS: Readonly<Record<string, readonly string[]>> = {
${lists.join('')}};
`;
}

function keptOf({ metadata }: Crd): readonly string[] {
  return SCHEMA_DIGESTS[metadata.name] ?? [];
}

function textOf(path: string): string {
  return readFileSync(resolve(ROOT, path), 'utf8');
}
