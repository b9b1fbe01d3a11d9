/**
 * docs/participants.md says of the tool and the example what is true of them.
 */
import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { USAGE } from './arguments.ts';
import { CHECKS } from './conformance.ts';

const docs = join(import.meta.dirname, '../../docs');
const read = (path: string) => readFileSync(join(docs, path), 'utf8');
const page = read('participants.md');
const exampleFolder = 'examples/python-participant';

test('every option of the tool is explained', () => {
  const options = [...USAGE.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, option]) => option);
  expect(options.length).toBeGreaterThan(0);
  expect(options.filter((option) => !page.includes(`\`${option}\``))).toEqual([]);
});

test('the run it shows has as many checks as a run without a token', () => {
  const count = CHECKS.filter(({ needs }) => !needs.includes('token')).length;
  expect(page).toContain(`${count} checks: ${count} ok, 0 wrong, 0 not driven`);
});

test('the example has as many lines as is said of it, and under a hundred', () => {
  const lines = read(`${exampleFolder}/participant.py`).trimEnd().split('\n').length;
  expect(lines).toBeLessThan(100);
  for (const text of [page, read(`${exampleFolder}/README.md`)]) expect(text).toContain(`in ${lines} lines of Python`);
});

test('the example’s settings are all described', () => {
  const source = read(`${exampleFolder}/participant.py`);
  const [, defaults = ''] = /^DEFAULTS = \{(.*)\}$/m.exec(source) ?? [];
  const settings = [...defaults.matchAll(/"([A-Z_]+)": /g)].map(([, name]) => name ?? '');
  expect(settings.length).toBeGreaterThan(0);
  const readme = read(`${exampleFolder}/README.md`);
  expect(settings.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
});

test('every check has a name of its own and a section of the contract', () => {
  const contract = read('reference/participant-protocol.md');
  expect(new Set(CHECKS.map(({ name }) => name)).size).toBe(CHECKS.length);
  for (const { section } of CHECKS) expect(contract).toMatch(new RegExp(`^## ${section}[.] `, 'm'));
});
