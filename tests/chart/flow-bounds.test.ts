/** Times that flows.settings takes are those that the CRD takes: neither is refused what the other lets pass. */
import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

interface Schema {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties: Readonly<Record<string, Schema>>;
}

const { spec } = parse(read('crds/transactionflow.yaml')) as {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
};
const crd = spec.versions[0]?.schema.openAPIV3Schema.properties.spec?.properties ?? {};
const settings =
  (JSON.parse(read('helm/ordertx/values.schema.json')) as Schema).properties.flows?.properties.settings?.properties ??
  {};

test.each(Object.entries(settings))('of %s', (_flow, { properties }) => {
  const bounds = (of: Readonly<Record<string, Schema | undefined>>) =>
    Object.fromEntries(Object.keys(properties).map((name) => [name, [of[name]?.minimum, of[name]?.maximum]]));
  expect(Object.keys(properties)).toContain('ttlSecondsAfterFinished');
  expect(bounds(properties)).toEqual(bounds(crd));
});
