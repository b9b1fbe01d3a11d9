/*
 * One jest run, two projects: `unit` needs no server; `real` starts the real parts once (tests/world/global-setup.ts).
 * What takes a minute and more is a run of its own (jest.long.config.js).
 */
const shared = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript' },
          target: 'es2024',
          experimental: { keepImportAttributes: true },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  // Hooks of Node's loader, which kube-config.ts sets, are not asked here; every test file would load all that the library generates.
  moduleNameMapper: {
    '/kube-config\\.ts$': '@kubernetes/client-node/dist/config.js',
    '^@kubernetes/client-node$': '@kubernetes/client-node/dist/config.js',
    '^\\./gen/index\\.js$': '<rootDir>/services/kube-config/src/kube-config-generated.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/.ordertx'],
};

const real = {
  ...shared,
  globalSetup: '<rootDir>/tests/world/global-setup.ts',
  globalTeardown: '<rootDir>/tests/world/global-teardown.ts',
};

export const longProject = { ...real, displayName: 'long', testMatch: ['**/*.long.real.test.ts'] };

export default {
  // One more than the machine that CI runs on has cores: with two, tests against real servers leave a quarter of it idle.
  maxWorkers: 3,
  // No test asserts on time, and a loaded machine is slow: what waits has a deadline of its own that says what it waited for.
  testTimeout: 60_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.real\\.test\\.ts$'],
    },
    {
      ...real,
      displayName: 'real',
      testMatch: ['**/*.real.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.long\\.real\\.test\\.ts$'],
    },
  ],
};
