/** `check` looks for every admission policy that comes with the CRDs, and for none that does not. */
import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { GUARDS } from '../../controller/cli/checks/guards.ts';

const CRDS = join(import.meta.dirname, '../../crds');

interface Manifest {
  readonly kind?: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly validationActions?: readonly string[] };
}

test('the plugin knows each of them, and which only warn', () => {
  const shipped = readdirSync(CRDS)
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) => parseAllDocuments(readFileSync(join(CRDS, file), 'utf8')))
    .map((document) => document.toJS() as Manifest)
    .filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding')
    .map(({ metadata, spec }) => ({
      name: metadata.name,
      isOptional: spec.validationActions?.includes('Deny') !== true,
    }));
  const byName = (one: { name: string }, other: { name: string }): number => one.name.localeCompare(other.name);
  expect(GUARDS.toSorted(byName)).toEqual(shipped.toSorted(byName));
});
