/** A changed schema gets the next revision, and nothing else does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { fitOf, NEEDED_SCHEMAS, parseRevision, SCHEMA_ANNOTATION } from '../crds/schema-revision.ts';
import { grown, marked, schemaDigest, type Crd } from './schema-revisions.ts';

const FILES = ['ordertransaction.yaml', 'transactionflow.yaml'];
const textOf = (file: string): string => readFileSync(join(import.meta.dirname, '../crds', file), 'utf8');
const text = textOf('ordertransaction.yaml');

/** The OrderTransaction's CRD with this text in place of that; both are said so that a test cannot change nothing. */
function crdWith(from: string, to: string): Crd {
  if (!text.includes(from)) throw new Error(`the CRD has no ${from}`);
  return parse(text.replace(from, to)) as Crd;
}

const crd = parse(text) as Crd;

describe('the digest', () => {
  test.each([
    ['a field that is longer', crdWith('maxLength: 63', 'maxLength: 64')],
    [
      'a rule',
      crdWith('x-kubernetes-validations:\n', 'x-kubernetes-validations:\n            - {rule: "true", message: no}\n'),
    ],
    ['what can be selected by', crdWith('        - jsonPath: .status.expires\n', '')],
    ['a subresource', crdWith('status: {}', 'scale: {}')],
    ['its scope', crdWith('scope: Namespaced', 'scope: Cluster')],
  ])('is another for %s', (_what, changed) => {
    expect(schemaDigest(changed)).not.toBe(schemaDigest(crd));
  });

  test.each([
    ['a description', crdWith('description: The TransactionFlow it follows.', 'description: Its flow.')],
    ['a column', crdWith('- name: Phase', '- name: At')],
    ['what is served while a version is replaced', crdWith('storage: true', 'storage: false')],
    ['a short name', crdWith('shortNames: [otx]', 'shortNames: [otx, ot]')],
    ['the mark itself', crdWith(`${SCHEMA_ANNOTATION}: `, 'example.com/other: ')],
  ])('is the same for %s', (_what, changed) => {
    expect(schemaDigest(changed)).toBe(schemaDigest(crd));
  });

  test('is the same for another order of keys, and another for a field that is called description', () => {
    const version = (properties: object): Crd => ({
      ...crd,
      spec: { ...crd.spec, versions: [{ name: 'v1', schema: { openAPIV3Schema: { type: 'object', properties } } }] },
    });
    const [a, b] = [{ type: 'string' }, { type: 'integer' }];
    expect(schemaDigest(version({ a, b }))).toBe(schemaDigest(version({ b, a })));
    expect(schemaDigest(version({ a, description: b }))).not.toBe(schemaDigest(version({ a })));
  });
});

describe('the revisions of a CRD', () => {
  const changed = crdWith('maxLength: 63', 'maxLength: 64');
  const digest = schemaDigest(crd);

  test('stay as they are while the schema does', () => {
    expect(grown(['older', digest], crd)).toEqual(['older', digest]);
  });

  test('get one more for a changed schema, also for one that was there before', () => {
    const two = grown([digest], changed);
    expect(two).toEqual([digest, schemaDigest(changed)]);
    expect(grown(two, crd)).toEqual([...two, digest]);
  });

  test('stand in its annotation, and nothing else of the text changes', () => {
    const [mark] = /ordertx\.dev\/schema: '[^']*'/.exec(text) ?? [];
    const next = marked(text, ['a', 'b', 'c0ffee']);
    expect(next).toBe(text.replace(mark ?? '', "ordertx.dev/schema: '3-c0ffee'"));
    expect(() => marked(text.replace(mark ?? '', ''), ['a'])).toThrow(/no annotation ordertx\.dev\/schema/);
  });
});

test.each(FILES)('%s carries the revision that programs of this version need', (file) => {
  const { metadata } = parse(textOf(file)) as { metadata: { name: string; annotations: Record<string, string> } };
  const needed = NEEDED_SCHEMAS.get(metadata.name);
  expect(needed).toBeDefined();
  expect(parseRevision(metadata.annotations[SCHEMA_ANNOTATION])).toEqual(needed);
});

test.each([
  ['3-beef', 'same'],
  ['4-f00d', 'newer'],
  ['10-f00d', 'newer'],
  ['2-beef', 'older'],
  ['3-f00d', 'other'],
  [undefined, 'unmarked'],
  ['', 'unmarked'],
  ['3', 'unmarked'],
  ['three-beef', 'unmarked'],
] as const)('a CRD marked %p is %s to whoever needs 3-beef', (mark, fit) => {
  expect(fitOf(mark, { revision: 3, digest: 'beef' })).toBe(fit);
});
