/**
 * Every lint rule of our own is seen refusing what it is there to refuse, and letting pass what it should.
 *
 * The snippets are linted with the real configuration, without its type-aware part: that part needs files on disk, and
 * its rules are tested by their authors. Of those, only their being switched on is asserted.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { ESLint } from 'eslint';
import { join } from 'node:path';
import tseslint from 'typescript-eslint';

const cwd = join(import.meta.dirname, '../..');
const eslint = new ESLint({ cwd, overrideConfig: [tseslint.configs.disableTypeChecked] });

async function rulesBrokenBy(path: string, code: string): Promise<readonly string[]> {
  const [result] = await eslint.lintText(code, { filePath: join(cwd, path) });
  return (result?.messages ?? []).map((message) => message.ruleId ?? message.message);
}

interface Row {
  readonly rule: string;
  readonly path: string;
  readonly code: string;
}

const refused: readonly Row[] = [
  {
    rule: 'ordertx/no-environment',
    path: 'controller/src/reconcile/loop.ts',
    code: 'export const n = process.env.SHARDS;',
  },
  {
    rule: 'ordertx/no-environment',
    path: 'services/kit/src/fence.ts',
    code: "export const n = process['env'].SHARDS;",
  },
  {
    rule: 'ordertx/no-environment',
    path: 'services/kit/src/fence.ts',
    code: 'const { env } = process; export const n = env;',
  },
  {
    rule: 'ordertx/no-environment',
    path: 'services/order/src/main.ts',
    code: "import { env } from 'node:process'; export const n = env;",
  },
  {
    rule: 'no-console',
    path: 'controller/src/main.ts',
    code: "console.log('ready');",
  },
  {
    rule: 'ordertx/no-sleep',
    path: 'tests/chaos/outage.test.ts',
    code: 'await new Promise((resolve) => setTimeout(resolve, 500));',
  },
  {
    rule: 'ordertx/no-sleep',
    path: 'services/kit/src/fence.test.ts',
    code: 'await new Promise((resolve) => globalThis.setTimeout(resolve, 500));',
  },
  {
    rule: 'ordertx/no-sleep',
    path: 'services/kit/src/fence.real.test.ts',
    code: "import { setTimeout } from 'node:timers/promises'; await setTimeout(500);",
  },
  {
    rule: 'ordertx/no-sleep',
    path: 'services/kit/src/fence.test.ts',
    code: 'await sleep(500);',
  },
  {
    rule: 'ordertx/no-catch-all',
    path: 'services/kit/src/utils.ts',
    code: 'export const n = 1;',
  },
  {
    rule: 'ordertx/no-catch-all',
    path: 'controller/src/reconcile/helpers.test.ts',
    code: 'export const n = 1;',
  },
  {
    rule: 'ordertx/no-catch-all',
    path: 'services/common/src/money.ts',
    code: 'export const n = 1;',
  },
  {
    rule: '@typescript-eslint/no-explicit-any',
    path: 'controller/src/main.ts',
    code: 'export const n: any = 1;',
  },
  {
    rule: '@typescript-eslint/consistent-type-imports',
    path: 'controller/src/main.ts',
    code: "import { Key } from './key.ts'; export const n = (key: Key) => [key];",
  },
  {
    rule: 'max-lines',
    path: 'controller/src/main.ts',
    code: 'export {};\n'.repeat(451),
  },
  {
    rule: 'max-lines-per-function',
    path: 'controller/src/main.ts',
    code: `export function all(): void {\n${'  once();\n'.repeat(70)}}`,
  },
];

const accepted: readonly Row[] = [
  { rule: 'ordertx/no-environment', path: 'controller/src/config.ts', code: 'export const n = process.env.SHARDS;' },
  { rule: 'ordertx/no-environment', path: 'local/up.ts', code: 'export const n = process.env.SHARDS;' },
  { rule: 'no-console', path: 'scripts/generate.ts', code: "console.log('written');" },
  {
    rule: 'ordertx/no-sleep',
    path: 'services/kit/src/fence.test.ts',
    code: 'await until(() => rows.length === 1, { deadlineMs: 500 });',
  },
  {
    rule: 'ordertx/no-sleep',
    path: 'controller/src/runtime/queue.ts',
    code: 'export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));',
  },
  { rule: 'ordertx/no-catch-all', path: 'scripts/generate-resource-types.ts', code: 'export const n = 1;' },
  {
    rule: 'max-lines-per-function',
    path: 'controller/src/main.test.ts',
    code: `test('all', () => {\n${'  once();\n'.repeat(70)}});`,
  },
];

function firstLine(row: Row): Row & { readonly line: string } {
  return { ...row, line: row.code.split('\n', 1).join() };
}

describe('the lint rules', () => {
  // The first file pays for loading the configuration.
  beforeAll(async () => {
    await rulesBrokenBy('controller/src/main.ts', '');
  }, 30_000);

  test.each(refused.map(firstLine))('$rule refuses in $path: $line', async ({ rule, path, code }) => {
    expect(await rulesBrokenBy(path, code)).toContain(rule);
  });

  test.each(accepted.map(firstLine))('$rule accepts in $path: $line', async ({ rule, path, code }) => {
    expect(await rulesBrokenBy(path, code)).not.toContain(rule);
  });

  test.each([
    '@typescript-eslint/no-floating-promises',
    '@typescript-eslint/no-misused-promises',
    '@typescript-eslint/switch-exhaustiveness-check',
  ])('%s is an error in every TypeScript file', async (rule) => {
    const real = new ESLint({ cwd });
    for (const path of ['controller/src/main.ts', 'services/kit/src/fence.test.ts', 'local/up.ts', 'scripts/x.ts']) {
      const { rules } = (await real.calculateConfigForFile(join(cwd, path))) as { rules: Record<string, [number]> };
      expect(rules[rule]?.[0]).toBe(2);
    }
  });
});
