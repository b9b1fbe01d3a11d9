/**
 * Pages for whoever is woken: each has the same four parts in the same order, is reached from the index, and says only names that exist.
 */
import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { pageCommands } from '../world/page-commands.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, 'docs/operating');
const PARTS = ['Meaning', 'Impact', 'Diagnosis', 'Mitigation'];

/** What is looked up in daylight. */
const OTHERS = [
  'alerts',
  'api-version',
  'audit',
  'broker',
  'controller-alone',
  'dashboards',
  'databases',
  'giving-up',
  'installing',
  'maintenance',
  'plugin',
  'restore',
  'uninstalling',
];

/** Alerts link to these: a page that is renamed takes its links along. */
const SITUATIONS = [
  ...['api-server', 'archive', 'clock', 'controller-away', 'database-restored', 'etcd-restored', 'flow-missing'],
  ...['payment-given-up', 'redis', 'refused', 'removing-a-namespace', 'rollout', 'sizing', 'stuck-at-consumer'],
  'stuck-at-participant',
];

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const pages = new Map(
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.md'))
    .map((file) => [file.replace('.md', ''), read(`docs/operating/${file}`)]),
);
const index = pages.get('README') ?? '';

test('every page is a situation, or is known to be none', () => {
  expect([...pages.keys()].toSorted()).toEqual([...SITUATIONS, ...OTHERS, 'README'].toSorted());
});

describe.each(SITUATIONS)('%s', (name) => {
  const page = pages.get(name) ?? '';

  test('has the four parts in their order, and says which test has followed it', () => {
    const heads = [...page.matchAll(/^## (.*)$/gm)].map(([, head]) => head);
    expect(heads.slice(0, PARTS.length)).toEqual(PARTS);
    expect(page).toMatch(/^Followed.* in \[.*real\.test\.ts\]\(/m);
  });

  test('is reached from the index', () => {
    expect(index).toMatch(new RegExp(`\\]\\(${name}\\.md[#)]`));
  });
});

describe('the index', () => {
  test('has every reason why a transaction may be Stuck', () => {
    const union = /export type StuckReason =([^;]*);/.exec(read('controller/src/transaction/conditions.ts'))?.[1] ?? '';
    const reasons = [...union.matchAll(/'(\w+)'/g)].map(([, reason = '']) => reason);
    expect(reasons.length).toBeGreaterThan(5);
    expect(reasons.filter((reason) => !index.includes(reason))).toEqual([]);
  });

  test('links to headings that are there', () => {
    const anchorOf = (head: string) =>
      head
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-');
    const broken = [...pages].flatMap(([name, page]) =>
      [...page.matchAll(/\]\(([\w./-]*)#([\w-]+)\)/g)].flatMap(([link, path = '', anchor = '']) => {
        const target = path === '' ? page : read(join('docs/operating', path));
        const anchors = [...target.matchAll(/^#+ (.*)$/gm)].map(([, head = '']) => anchorOf(head));
        return anchors.includes(anchor) ? [] : [`${name}: ${link}`];
      }),
    );
    expect(broken).toEqual([]);
  });
});

test('the index sets the variables that commands need, from a system that npm run up keeps', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ordertx-variables-'));
  mkdirSync(join(folder, '.ordertx'));
  const services = { order: { url: 'http://127.0.0.1:1', databaseUrl: 'postgres://ordertx@127.0.0.1:2/order' } };
  const stack = { services, controllers: [{ url: 'http://127.0.0.1:3' }] };
  writeFileSync(join(folder, '.ordertx', 'stack.json'), JSON.stringify(stack));
  const command = pageCommands('docs/operating/README.md').at(-1) ?? '';
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };
  const printed = execFileSync('sh', ['-c', `${command}; env`], { cwd: folder, env, encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(printed.split('\n')).toEqual(
    expect.arrayContaining([
      'ORDERTX_CONTROLLER_URL=http://127.0.0.1:3',
      `ORDER_URL=${services.order.url}`,
      `ORDER_DATABASE_URL=${services.order.databaseUrl}`,
    ]),
  );
});

test('every metric that a page names is one that some process serves', () => {
  const served = new Set([...read('docs/reference/metrics.md').matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name));
  const unknown = [...pages].flatMap(([page, text]) =>
    [...text.matchAll(/`((?:ordertx|http|workqueue|rest_client|leader_election|postgres|nodejs)_\w+)[`{]/g)]
      .map(([, name]) => name)
      .filter((name) => !served.has(name))
      .map((name) => `${page}: ${name}`),
  );
  expect(unknown).toEqual([]);
});

test('every stuck sentence begins as the index says', () => {
  const sentences = read('controller/src/transaction/sentences.ts') + read('controller/src/transaction/flow-guard.ts');
  for (const words of [
    'is not done: ',
    'is not delivered: ',
    'does not exist',
    "lacks this transaction's",
    'was being deleted',
  ]) {
    expect(sentences).toContain(words);
    expect(index).toContain(words.trim());
  }
});

test('no table is cut: each begins with its head', () => {
  for (const [name, page] of pages) {
    const text = page.replaceAll(/^ *```[^]*?^ *```$/gm, '');
    const tables = text.match(/(?:^ *\|.*\n?)+/gm) ?? [];
    const cut = tables.filter((each) => !/^ *\|.*\n *\|[-:| ]+\|/.test(each));
    expect([name, cut]).toEqual([name, []]);
  }
});

test('a service’s command comes with the database that it needs', () => {
  const page = read('docs/reference/messages.md') + [...pages.values()].join('\n');
  const commands = [
    ...page.matchAll(/^.*node scripts\/run\.mjs services\/(\w+)\/src\/main\.ts (?:outbox|settle).*$/gm),
  ];
  expect(commands.length).toBeGreaterThan(3);
  const without = commands.filter(
    ([line, name = '']) => !line.includes(`DATABASE_URL="$${name.toUpperCase()}_DATABASE_URL"`),
  );
  expect(without.map(([line]) => line)).toEqual([]);
});

interface ChartValues {
  readonly controller: { readonly replicas: number };
  readonly services: Readonly<Record<string, { readonly replicas: number }>>;
}
const chartValues = parse(read('helm/ordertx/values.yaml')) as ChartValues;

test('the connections to Postgres that sizing adds up are those of the defaults', () => {
  const configuration = read('docs/reference/configuration.md');
  const pools = [...configuration.matchAll(/^\| `DATABASE_POOL_\w+` \| `(\d+)` \|/gm)].map(([, size]) => Number(size));
  expect(pools).toHaveLength(3);
  const pod = pools.reduce((sum, size) => sum + size, 0) + 1;
  const archive = Number(/CONNECTIONS_MAX = (\d+)/.exec(read('controller/src/archive/postgres-archive.ts'))?.[1]);
  const all = (more: number) => {
    const { controller, services } = chartValues;
    const pods = Object.values(services).reduce((sum, { replicas }) => sum + (replicas + more) * pod, 0);
    return pods + (services.order?.replicas ?? 0) + more + (controller.replicas + more) * archive;
  };
  const table = /^\| \| connections, at most[^]*?\n\n/m.exec(pages.get('sizing') ?? '')?.[0] ?? '';
  const said = [...table.matchAll(/ (\d+) \|$/gm)].map(([, connections]) => Number(connections));
  expect(said).toEqual([pod + 1, pod, archive, all(0), all(1)]);
});

test('the values that the index names for variables are the chart’s, and it sets those variables', () => {
  const section = /^### On a release of the chart\n[^]*?^### /m.exec(index)?.[0] ?? '';
  const rows = [...section.matchAll(/^\| ([^|]*`[A-Z_]+`[^|]*) \| ([^|]*) \|$/gm)];
  const texts = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
  const own = rows.filter(([row]) => !row.includes('extraEnv'));
  expect(own.length).toBeGreaterThan(5);
  const environment = read('helm/ordertx/templates/_env.tpl');
  const valueAt = (path: string) =>
    path
      .split('.')
      .reduce<unknown>((at, key) => (at as Readonly<Record<string, unknown>> | undefined)?.[key], chartValues);
  for (const [, variables = '', values = ''] of own) {
    expect(texts(variables).filter((name) => !environment.includes(`"${name}"`))).toEqual([]);
    expect(texts(values).filter((path) => valueAt(path) === undefined)).toEqual([]);
  }
});
