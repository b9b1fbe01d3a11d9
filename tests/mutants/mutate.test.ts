/**
 * The mutants are fit to judge the tests: each can be made in today's code, and only a failing test counts as seeing it.
 */
import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { judge, mutate, type Report } from './mutate.ts';
import { mutants } from './mutants.ts';

const root = join(import.meta.dirname, '../..');

function reportOf(statuses: readonly string[], runtimeErrors = 0): Report {
  const assertionResults = statuses.map((status, index) => ({ status, fullName: `test ${index}` }));
  const count = (wanted: string) => statuses.filter((status) => status === wanted).length;
  return {
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numRuntimeErrorTestSuites: runtimeErrors,
    testResults: [{ assertionResults }],
  };
}

describe('every mutant', () => {
  test.each(mutants)('can be made in the code as it is: $name', ({ file, find, replace, tests }) => {
    expect(mutate(readFileSync(join(root, file), 'utf8'), { find, replace }).kind).toBe('mutated');
    expect(tests.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('a text to replace', () => {
  test('that stands there once is replaced as it is written', () => {
    expect(mutate('a + b', { find: 'a', replace: '$&c' })).toEqual({ kind: 'mutated', text: '$&c + b' });
  });

  test.each([
    ['never', 'b', 0],
    ['twice', 'a a', 2],
  ])('that stands there %s is misplaced', (_, text, found) => {
    expect(mutate(text, { find: 'a', replace: 'c' })).toEqual({ kind: 'misplaced', found });
  });
});

describe('a mistake', () => {
  test('is seen by the first test that fails', () => {
    expect(judge(reportOf(['passed', 'failed']))).toEqual({ kind: 'seen', by: 'test 1' });
  });

  test('survives where every test passes', () => {
    expect(judge(reportOf(['passed', 'passed'])).kind).toBe('survived');
  });

  test('is not seen by tests that do not run, or not to their end', () => {
    expect(judge(reportOf(['failed'], 1)).kind).toBe('unclear');
    expect(judge(reportOf([])).kind).toBe('unclear');
    expect(judge(undefined).kind).toBe('unclear');
  });
});
