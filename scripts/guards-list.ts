/**
 * The list of admission policies that `kubectl ordertx check` looks for, from the manifests that come with the CRDs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { guardDigest, type GuardSpec } from '../controller/cli/checks/guard-digest.ts';

const CRDS = resolve(import.meta.dirname, '../crds');

interface Manifest {
  readonly kind?: string;
  readonly metadata: { readonly name: string };
  readonly spec: GuardSpec & { readonly validationActions?: readonly string[] };
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['ValidatingAdmissionPolicy', 'validating'],
  ['MutatingAdmissionPolicy', 'mutating'],
]);

export function renderGuards(): string {
  const manifests = readdirSync(CRDS)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted()
    .flatMap((file) => parseAllDocuments(readFileSync(join(CRDS, file), 'utf8')))
    .map((document) => document.toJS() as Manifest);
  const guards = manifests
    .filter(({ kind }) => KINDS.has(kind ?? ''))
    .map(({ kind = '', metadata: { name }, spec }) => {
      const binding = manifests.find((each) => each.kind === `${kind}Binding` && each.metadata.name === name);
      if (binding === undefined) throw new Error(`the policy ${name} has no binding of its name`);
      const isOptional = binding.spec.validationActions?.includes('Deny') !== true;
      return `  { name: '${name}', kind: '${KINDS.get(kind) ?? ''}', isOptional: ${String(isOptional)}, digest: '${guardDigest(spec)}' },\n`;
    });
  return `/**
 * Generated from crds/*.yaml by \`npm run generate\`; do not edit.
 */
export interface Guard {
  readonly name: string;
  /** Of its policy. An API server before 1.36 does not serve those that mutate, and works without them. */
  readonly kind: 'validating' | 'mutating';
  /** It only warns, or saves somebody something: nothing depends on it. */
  readonly isOptional: boolean;
  readonly digest: string;
}

export const GUARDS: readonly Guard[] = [
${guards.join('')}];
`;
}
