/*
 * What lint holds the code to.
 *
 * The strict, type-aware set of typescript-eslint, plus rules of our own below: each is one selector and one
 * sentence that says what to do instead. Who may import whom is not decided here but in .dependency-cruiser.mjs, and
 * formatting is prettier's alone. tests/house/lint-rules.real.test.ts sees each of ours refuse what it is there to refuse.
 */
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Lines of code, comments not counted: above this a function does two things. */
const FUNCTION_LINES_MAX = 70;
const FILE_LINES_MAX = 450;

/** A rule that refuses whatever one of the selectors matches. */
function refuse(message, ...selectors) {
  return {
    meta: { type: 'problem', schema: [], messages: { refused: message } },
    create: (context) => ({ [selectors.join(', ')]: (node) => context.report({ node, messageId: 'refused' }) }),
  };
}

const ordertx = {
  rules: {
    'no-environment': refuse(
      'Settings are read and checked once, in config.ts: take this value as an argument.',
      "MemberExpression[object.name='process'][property.name='env']",
      "MemberExpression[object.name='process'][property.value='env']",
      "VariableDeclarator[init.name='process'] Property[key.name='env']",
      "ImportDeclaration[source.value=/^(node:)?process$/] ImportSpecifier[imported.name='env']",
    ),
    'no-sleep': refuse(
      'A test never sleeps: wait for the condition it needs, with a deadline.',
      "NewExpression[callee.name='Promise'] CallExpression[callee.name='setTimeout']",
      "NewExpression[callee.name='Promise'] CallExpression[callee.property.name='setTimeout']",
      'ImportDeclaration[source.value=/^(node:)?timers\\u002Fpromises$/]',
      "CallExpression[callee.object.name='Atomics'][callee.property.name='wait']",
      'CallExpression[callee.name=/^sleep(Ms|Seconds|For)?$/]',
    ),
    'no-catch-all': {
      meta: {
        type: 'problem',
        schema: [],
        messages: { refused: 'Name this after what is in it, not after the kind of thing it is.' },
      },
      create: (context) => ({
        Program: (node) => {
          const catchAll = /(^|[\\/])(utils?|helpers?|types?|common|misc)([\\/]|\.[^\\/]*$)/;
          const path = context.filename.slice(context.cwd.length);
          if (catchAll.test(path)) context.report({ node, messageId: 'refused' });
        },
      }),
    },
  },
};

/** Where programs for people and for machines start: they may read the environment and print. */
const PROGRAMS_AND_TESTS = ['local/**', 'scripts/**', 'tests/**', '**/testing/**', '**/*.test.ts'];

export default defineConfig(
  { ignores: ['node_modules/', '.ordertx/', 'coverage/', 'dist/', 'crds/generated/'] },
  {
    files: ['**/*.{ts,js,mjs,cjs}'],
    plugins: { ordertx },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'ordertx/no-catch-all': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-lines': ['error', { max: FILE_LINES_MAX }],
      'no-constant-binary-expression': 'error',
      'no-debugger': 'error',
      'no-implicit-coercion': ['error', { boolean: false }],
      'no-self-compare': 'error',
      'no-unreachable-loop': 'error',
      'no-unsafe-finally': 'error',
      'no-useless-assignment': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'ordertx/no-environment': 'error',
      'max-lines-per-function': ['error', { max: FUNCTION_LINES_MAX, skipComments: true, skipBlankLines: true }],
      'no-console': 'error',
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-misused-spread': ['error', { allow: [{ from: 'lib', name: 'string' }, 'string'] }],
      // It takes a flag that only a callback sets for a constant.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Its way out is `!`, which is not allowed either.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/only-throw-error': 'error',
      // An empty string is how the environment says "not set".
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      // An async function without await still turns every throw into a rejection, which is what a port promises.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { allowDefaultCaseForExhaustiveSwitch: false, considerDefaultExhaustiveForUnions: false },
      ],
    },
  },
  {
    files: ['**/config.ts', ...PROGRAMS_AND_TESTS],
    rules: { 'ordertx/no-environment': 'off' },
  },
  {
    files: PROGRAMS_AND_TESTS,
    rules: { 'no-console': 'off' },
  },
  {
    files: ['**/*.test.ts'],
    rules: {
      'ordertx/no-sleep': 'error',
      // A describe block is a chapter, not a function; and a test may insist that what it just made is there.
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // What came over the wire is looked at as it is.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
);
