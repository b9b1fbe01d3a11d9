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

export function renderGuards(): string {
  const manifests = readdirSync(CRDS)
    .filter((file) => file.endsWith('.yaml'))
    .toSorted()
    .flatMap((file) => parseAllDocuments(readFileSync(join(CRDS, file), 'utf8')))
    .map((document) => document.toJS() as Manifest);
  const guards = manifests
    .filter(({ kind }) => kind === 'ValidatingAdmissionPolicy')
    .map(({ metadata: { name }, spec }) => {
      const binding = manifests.find(
        ({ kind, metadata }) => kind === 'ValidatingAdmissionPolicyBinding' && metadata.name === name,
      );
      if (binding === undefined) throw new Error(`the policy ${name} has no binding of its name`);
      const isOptional = binding.spec.validationActions?.includes('Deny') !== true;
      return `  { name: '${name}', isOptional: ${String(isOptional)}, digest: '${guardDigest(spec)}' },\n`;
    });
  return `/**
 * Generated from crds/*.yaml by \`npm run generate\`; do not edit.
 */
export interface Guard {
  readonly name: string;
  /** It only warns: nothing depends on it. */
  readonly isOptional: boolean;
  readonly digest: string;
}

export const GUARDS: readonly Guard[] = [
${guards.join('')}];
`;
}
