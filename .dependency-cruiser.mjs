/*
 * Who may import whom.
 *
 * The pure core knows nothing, the loop knows the core, adapters know the loop's ports and never each other, and only
 * main.ts knows everybody. Services know the wire contract and never each other. Type-only imports count as well: a
 * borrowed type is a borrowed decision. tests/house/dependency-rules.test.ts sees every rule refuse one import.
 *
 * Paths are regular expressions on paths from the repository's root; `$1` is what the rule's `from` captured.
 */
const TEST_FILE = '[.]test[.]ts$';
/** Small working substitutes and whatever else only tests run: never part of a process. */
const STAND_IN = '(/testing/|/(fakes|[a-z-]+-fake|manual-[a-z-]+|loopback-[a-z-]+)[.]ts$)';
/** Tests may know more than what they test: they build it, and look at it from outside. */
const TEST = `(${TEST_FILE}|${STAND_IN})`;
const ADAPTERS = '^controller/src/(participants|messages|kubernetes|telemetry|archive)/';
const SERVICES = '(order|inventory|payment|dispatch|wms|member|notification|reconcile)';
/** What a database of one's own is connected to and migrated by; it writes to the log that it is given. */
const KITS_POSTGRES = '^services/kit/src/(postgres/(pool|migrate|sql|clock-skew)|log)[.]ts$';
const PRODUCTION = '^(controller|services|crds)/';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'transaction-is-pure',
      comment: 'controller/src/transaction decides from its arguments alone: it imports itself and the CRDs’ types.',
      severity: 'error',
      from: { path: '^controller/src/transaction/', pathNot: TEST },
      to: { pathNot: '^(controller/src/transaction|crds/generated)/' },
    },
    {
      name: 'transaction-takes-only-types-from-crds',
      comment: 'What the pure core takes from the CRDs is their shape, nothing that runs.',
      severity: 'error',
      from: { path: '^controller/src/transaction/', pathNot: TEST },
      to: { path: '^crds/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'reconcile-knows-only-its-ports',
      comment: 'The loop imports transaction, its own folder and the CRDs’ types; whatever else it needs is a port.',
      severity: 'error',
      from: { path: '^controller/src/reconcile/', pathNot: TEST },
      to: { pathNot: '^(controller/src/(reconcile|transaction)|crds/generated)/' },
    },
    {
      name: 'removal-knows-only-its-ports',
      comment:
        'What removes ended transactions imports its own folder, transaction, runtime and the CRDs’ types: the rest are ports.',
      severity: 'error',
      from: { path: '^controller/src/removal/', pathNot: TEST },
      to: { pathNot: '^(controller/src/(removal|transaction|runtime)|crds/generated)/' },
    },
    {
      name: 'adapters-know-only-the-ports',
      comment:
        'An adapter imports the loops’ ports.ts, transaction, runtime, the wire contract and packages: no other adapter.',
      severity: 'error',
      from: { path: ADAPTERS, pathNot: TEST },
      to: {
        path: '^(controller|services|crds)/',
        pathNot: [
          '^controller/src/$1/',
          '^controller/src/(reconcile|removal)/ports[.]ts$',
          '^controller/src/(transaction|runtime)/',
          '^crds/(generated/|schema-revision[.]ts$)',
          '^services/protocol/',
          '^services/(broker|kube-config|metrics|tracing)/',
          KITS_POSTGRES,
        ],
      },
    },
    {
      name: 'only-the-archive-takes-the-kits-postgres',
      comment: 'A database is connected to and migrated alike everywhere; in the controller only the archive has one.',
      severity: 'error',
      from: {
        path: '^controller/',
        pathNot: [TEST, '^controller/src/archive/', '^controller/src/(main|config)[.]ts$'],
      },
      to: { path: KITS_POSTGRES },
    },
    {
      name: 'adapters-decide-nothing',
      comment: 'What an adapter takes from the core and the ports is a shape, or the words a status is read with.',
      severity: 'error',
      from: { path: ADAPTERS, pathNot: TEST },
      to: {
        path: '^controller/src/(transaction|reconcile|removal)/',
        pathNot: '^controller/src/transaction/(phase|conditions|outcome)[.]ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'runtime-knows-no-domain',
      comment: 'Queue, clock and shutdown carry keys and functions; a domain word in them is in the wrong folder.',
      severity: 'error',
      from: { path: '^controller/src/runtime/', pathNot: TEST },
      to: { path: '^(controller|services|crds)/', pathNot: '^controller/src/runtime/' },
    },
    {
      name: 'only-main-builds-adapters',
      comment:
        'controller/src/main.ts is the only composition root, config.ts only checks settings: everybody else gets an adapter as an argument.',
      severity: 'error',
      from: {
        pathNot: [TEST, '^tests/', ADAPTERS, '^controller/src/(main|config)[.]ts$', '^controller/cli/', '^scripts/'],
      },
      to: { path: ADAPTERS },
    },
    {
      name: 'cli-takes-the-core-and-ways-to-ask',
      comment:
        'kubectl’s plugin decides by transaction/ and asks by the controller’s own transport and archive queries: nothing else of it.',
      severity: 'error',
      from: { path: '^controller/cli/', pathNot: TEST },
      to: {
        path: '^(controller|services|crds)/',
        pathNot: [
          '^controller/cli/',
          '^controller/src/transaction/',
          '^controller/src/kubernetes/(transport|credentials|people-config|stored-object|lease-names)[.]ts$',
          '^controller/src/archive/queries[.]ts$',
          '^controller/src/runtime/(clock|remote-clock)[.]ts$',
          '^controller/src/reconcile/look[.]ts$',
          '^crds/(generated/|schema-revision[.]ts$)',
          '^services/protocol/',
        ],
      },
    },
    {
      name: 'only-the-clis-main-connects',
      comment: 'controller/cli/main.ts builds the connection; a verb takes it, and the words of it, as an argument.',
      severity: 'error',
      from: { path: '^controller/cli/', pathNot: [TEST, '^controller/cli/main[.]ts$'] },
      to: {
        path: '^controller/src/kubernetes/(transport|credentials|people-config)[.]ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'nobody-imports-the-cli',
      comment: 'The plugin is a program of its own: neither the controller nor a service is built on it.',
      severity: 'error',
      from: { path: PRODUCTION, pathNot: [TEST, '^controller/cli/'] },
      to: { path: '^controller/cli/' },
    },
    {
      name: 'nobody-imports-a-main',
      comment: 'A main.ts is where a process starts; what others need from it has a file of its own.',
      severity: 'error',
      from: {},
      to: { path: '^(controller/cli|(controller|services/[^/]+)/src)/main[.]ts$' },
    },
    {
      name: 'controller-knows-services-by-the-contract',
      comment:
        'Controller and services meet in services/protocol, in services/broker, by which both are on the streams, in services/metrics and services/tracing, by which both are measured and traced, and in services/kube-config, by which both find the API server: nowhere else.',
      severity: 'error',
      from: { path: '^controller/', pathNot: [TEST, '^controller/src/(main|config)[.]ts$', '^scripts/'] },
      to: { path: '^services/', pathNot: ['^services/(protocol|broker|kube-config|metrics|tracing)/', KITS_POSTGRES] },
    },
    {
      name: 'processes-start-alike',
      comment:
        'Settings and log lines look the same everywhere: where the controller starts, it takes the kit’s for these.',
      severity: 'error',
      from: { path: '^controller/src/(main|config)[.]ts$' },
      to: {
        path: '^services/',
        pathNot:
          '^services/(protocol/|broker/|metrics/|tracing/|kit/src/(settings|server-url|tls-settings|log|begin|early-signal)[.]ts$)',
      },
    },
    {
      name: 'services-do-not-know-the-controller',
      comment: 'Controller and services meet in services/protocol and nowhere else.',
      severity: 'error',
      from: { path: '^services/', pathNot: TEST },
      to: { path: '^controller/' },
    },
    {
      name: 'services-do-not-know-each-other',
      comment: 'A service shares the kit and the wire contract with others: no code, no table, no type.',
      severity: 'error',
      from: { path: `^services/${SERVICES}/`, pathNot: TEST },
      to: { path: '^services/', pathNot: '^services/($1|kit|broker|kube-config|metrics|protocol|tracing)/' },
    },
    {
      name: 'kit-knows-only-the-contract',
      comment: 'The kit serves every service, so it can know none, nor the CRDs.',
      severity: 'error',
      from: { path: '^services/kit/', pathNot: TEST },
      to: { path: '^(services|crds|controller)/', pathNot: '^services/(kit|broker|metrics|protocol|tracing)/' },
    },
    {
      name: 'broker-knows-only-the-contract',
      comment:
        'What everybody on the streams uses can know none of them: it takes the wire contract, metrics and packages.',
      severity: 'error',
      from: { path: '^services/broker/', pathNot: TEST },
      to: { path: '^(services|crds|controller)/', pathNot: '^services/(broker|metrics|protocol)/' },
    },
    {
      name: 'metrics-knows-nobody',
      comment: 'How a process shows what it measures says nothing of what that is: it takes packages only.',
      severity: 'error',
      from: { path: '^services/metrics/', pathNot: TEST },
      to: { path: '^(services|crds|controller)/', pathNot: '^services/metrics/' },
    },
    {
      name: 'tracing-knows-only-the-contract',
      comment: 'What everybody traces with can know none of them: it takes the wire contract and packages.',
      severity: 'error',
      from: { path: '^services/tracing/', pathNot: TEST },
      to: { path: '^(services|crds|controller)/', pathNot: '^services/(tracing|protocol)/' },
    },
    {
      name: 'kube-config-knows-nobody',
      comment: 'Where the API server is and who asks it says nothing of what is asked: it takes packages only.',
      severity: 'error',
      from: { path: '^services/kube-config/', pathNot: TEST },
      to: { path: '^(services|crds|controller)/', pathNot: '^services/kube-config/' },
    },
    {
      name: 'protocol-stands-alone',
      comment:
        'The wire contract can be read and copied by itself: of packages it takes zod, of the repository nothing.',
      severity: 'error',
      from: { path: '^services/protocol/', pathNot: TEST },
      to: { pathNot: '^(services/protocol/|node_modules/zod/)' },
    },
    {
      name: 'kubernetes-client-stays-behind-its-port',
      comment:
        'Only the controller’s and the order service’s transport, and what sets the system up, talk to an API server.',
      severity: 'error',
      from: {
        pathNot: ['^controller/src/kubernetes/', '^services/(kube-config|order)/', '^local/', '^tests/', TEST],
      },
      to: { path: '^node_modules/@kubernetes/client-node/' },
    },
    {
      name: 'production-does-not-import-its-scaffolding',
      comment: 'Controller, services and CRDs run without tests/, local/, scripts/ and the stand-ins of their tests.',
      severity: 'error',
      from: { path: PRODUCTION, pathNot: TEST },
      to: { path: ['^(tests|local|scripts)/', STAND_IN] },
    },
    {
      name: 'nobody-imports-a-test',
      comment: 'What two tests share has a file of its own, named after what it is.',
      severity: 'error',
      from: {},
      to: { path: TEST_FILE },
    },
    {
      name: 'production-runs-on-dependencies',
      comment: 'What runs in production is in package.json’s dependencies; devDependencies are not there.',
      severity: 'error',
      from: { path: PRODUCTION, pathNot: TEST },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-circle',
      comment: 'Two files that need each other are one file, or lack a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-loose-end',
      comment: 'The import leads nowhere: a missing file, or a package that package.json does not name.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^([.]ordertx|coverage)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
