/**
 * What `npm run bench:api-server` compares: ways to have an order's writes made, each in an API group of its own.
 *
 * A group of its own, because one API server then serves them all beside each other and none meets what another left.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

const CRDS = join(import.meta.dirname, '..', '..', 'crds');

export interface Variant {
  readonly name: string;
  /** The API group in which it stands. */
  readonly group: string;
  /** GOGC of the API server it stands in; undefined is Go's own. */
  readonly gogc?: number;
  /** Whether the CRD's x-kubernetes-map-type: atomic are kept. */
  readonly atomic: boolean;
  /** Whether managed fields are removed at creation. */
  readonly withoutManagedFields: boolean;
  /** Whether writes ask for the metadata alone as their answer; nobody's do (ADR 33). */
  readonly shortAnswers: boolean;
  /** Whether the guards end early for what is finished (their matchConditions). */
  readonly earlyGuards: boolean;
  /** Whether people's acts are guarded and signed (ADR 38). */
  readonly acts: boolean;
}

type Levers = Partial<Omit<Variant, 'name' | 'group'>>;

const AS_IS = { atomic: false, withoutManagedFields: false, shortAnswers: false, earlyGuards: false, acts: true };

function variant(name: string, levers: Levers): Variant {
  return { ...AS_IS, ...levers, name, group: `${name.replaceAll(/[^a-z0-9]+/g, '-')}.ordertx.dev` };
}

/** What is in force. */
const ALL: Levers = { atomic: true, withoutManagedFields: true, earlyGuards: true };

export const VARIANTS: readonly Variant[] = [
  variant('none', {}),
  variant('atomic', { atomic: true }),
  variant('policy', { withoutManagedFields: true }),
  variant('atomic-policy', { atomic: true, withoutManagedFields: true }),
  variant('answers', { shortAnswers: true }),
  variant('guards', { earlyGuards: true }),
  variant('all', ALL),
  variant('without-acts', { ...ALL, acts: false }),
  variant('gogc-400', { gogc: 400 }),
  variant('all-gogc-400', { ...ALL, gogc: 400 }),
];

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** The objects that make a variant, in the order in which they are created. */
export function manifestsOf({ group, atomic, withoutManagedFields, earlyGuards, acts }: Variant): readonly Manifest[] {
  const files = [
    ...['ordertransaction.yaml', 'guards.yaml'],
    ...(acts ? ['acts.yaml', 'acts-by.yaml'] : []),
    ...(withoutManagedFields ? ['managed-fields.yaml'] : []),
  ];
  return files
    .flatMap((file) => parseAllDocuments(readFileSync(join(CRDS, file), 'utf8')))
    .map((document) => document.toJS() as Manifest)
    .filter(({ metadata }) => !metadata.name.startsWith('ordertx-crd-guard'))
    .map((manifest) => movedTo(group, manifest))
    .map((manifest) => (atomic ? manifest : (withoutKey(manifest, 'x-kubernetes-map-type') as Manifest)))
    .map((manifest) => (earlyGuards ? manifest : withLateGuards(manifest)));
}

function movedTo(group: string, manifest: Manifest): Manifest {
  const { kind, metadata, spec } = JSON.parse(
    JSON.stringify(manifest).replaceAll(/"ordertx\.dev"/g, `"${group}"`),
  ) as Manifest;
  const isCrd = kind === 'CustomResourceDefinition';
  const name = isCrd ? `ordertransactions.${group}` : `${metadata.name}.${group}`;
  const { policyName } = spec;
  const bound = typeof policyName === 'string' ? { policyName: `${policyName}.${group}` } : {};
  return { ...manifest, metadata: { ...metadata, name }, spec: { ...spec, ...bound } };
}

interface Guard {
  readonly matchConditions: readonly { readonly expression: string }[];
  readonly validations: readonly { readonly expression: string }[];
}

/** The conditions under which a guard looks at all become part of what it looks for: the same verdicts. */
function withLateGuards(manifest: Manifest): Manifest {
  if (manifest.kind !== 'ValidatingAdmissionPolicy' || manifest.spec.matchConditions === undefined) return manifest;
  const { matchConditions, ...spec } = manifest.spec as Record<string, unknown> & Guard;
  const unless = matchConditions.map(({ expression }) => `!(${expression})`).join(' || ');
  const validations = spec.validations.map((each) => ({ ...each, expression: `${unless} || (${each.expression})` }));
  return { ...manifest, spec: { ...spec, validations } };
}

function withoutKey(node: unknown, unwanted: string): unknown {
  if (Array.isArray(node)) return node.map((item) => withoutKey(item, unwanted));
  if (typeof node !== 'object' || node === null) return node;
  const kept = Object.entries(node).filter(([key]) => key !== unwanted);
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutKey(value, unwanted)]));
}
