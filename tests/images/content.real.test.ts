/**
 * What is in the images, and that it is enough: the bundles are made of the build's context alone, as in the Dockerfile, and each
 * process runs in a folder that holds nothing but its image's content.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readdirSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { waitFor } from '../../local/deadline.ts';
import { freePort } from '../../local/ports.ts';
import { inheritedEnvironment } from '../../local/process-group.ts';
import { SERVICES } from '../../local/services.ts';
import { PROCESSES } from '../../scripts/images/processes.ts';
import { pageCommands } from '../world/page-commands.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { contextOf, filesBelow } from './instructions.ts';

// Eight bundles, and as many processes to start.
jest.setTimeout(120_000);

const ROOT = join(import.meta.dirname, '../..');
/** What is no part of a clone; node_modules is installed in the image. */
const NOT_CLONED = ['node_modules', '.git', '.ordertx', 'dist', 'coverage'];
/** What the replicas that start wait for, in the database (services/kit/src/postgres/migrate.ts). */
const TURN = '7241865325823965';
const DEADLINE_MS = 30_000;
const SOURCE_DATE_EPOCH = '1790000000';

const folder = mkdtempSync(join(tmpdir(), 'images-'));
const context = contextOf(ROOT, readFileSync(join(ROOT, '.dockerignore'), 'utf8'), NOT_CLONED);
const contentOf = (name: string): string => join(folder, 'images', name);
const filesIn = (name: string): readonly string[] => filesBelow(contentOf(name));

let shop: Shop;

beforeAll(async () => {
  const sources = join(folder, 'src');
  for (const path of context) {
    mkdirSync(dirname(join(sources, path)), { recursive: true });
    cpSync(join(ROOT, path), join(sources, path));
  }
  symlinkSync(join(ROOT, 'node_modules'), join(sources, 'node_modules'));
  const env = { ...inheritedEnvironment(), SOURCE_DATE_EPOCH };
  await promisify(execFile)(process.execPath, ['scripts/images/bundle.ts', '--base', 'base:1'], { cwd: sources, env });
  renameSync(join(sources, 'dist/images'), join(folder, 'images'));
  rmSync(sources, { recursive: true });
  shop = await openShop('images', { services: SERVICES.map(({ name }) => name), bundles: contentOf });
});

afterAll(async () => {
  await shop?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a build gets the sources of what it makes, and nothing else', () => {
  const tops = new Set(
    context.map((path) =>
      path
        .split('/')
        .slice(0, path.startsWith('services/') ? 3 : 2)
        .join('/'),
    ),
  );
  const services = [
    ...SERVICES.map(({ name }) => name),
    'broker',
    'kit',
    'kube-config',
    'metrics',
    'protocol',
    'tracing',
  ];
  const expected = [
    ...['.npmrc', 'LICENSE', 'package.json', 'package-lock.json'],
    ...['controller/src', 'crds/generated', 'scripts/bundling.ts', 'scripts/images'],
    ...readdirSync(join(ROOT, 'crds'))
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => `crds/${file}`),
    ...services.flatMap((name) =>
      ['src', 'sql', 'migrations', 'schemas']
        .map((part) => `services/${name}/${part}`)
        .filter((path) => existsSync(join(ROOT, path))),
    ),
  ];
  expect([...tops].toSorted()).toEqual(expected.toSorted());
  expect(context.filter((path) => /[.]test[.]ts$|\/testing\//.test(path))).toEqual([]);
});

test('an image holds one program with its source map, its migrations, licenses and bill of materials', () => {
  const beside = ['LICENSE', 'LICENSES-OF-PACKAGES', 'main.mjs', 'main.mjs.map', 'sbom.spdx.json'];
  const migrations = (path: string) => readdirSync(join(ROOT, path)).map((file) => `${path}/${file}`);
  for (const { name } of PROCESSES) {
    const own = name === 'controller' ? 'controller/src/archive/migrations' : `services/${name}/migrations`;
    const expected = [...beside, ...migrations('services/kit/migrations'), ...migrations(own)];
    expect([name, filesIn(name)]).toEqual([name, expected.toSorted()]);
  }
});

describe('a process with nothing but its image’s content', () => {
  test('gets ready, does its work, writes no file and ends well when it is told to', async () => {
    const before = PROCESSES.map(({ name }) => filesIn(name));
    const controller = await shop.startController({ bundle: contentOf('controller') });
    await shop.stock('tea', 5);
    const { status, body } = await shop.order([{ skuId: 'tea', quantity: 2, unitPriceCents: 450 }], 20);
    expect([status, body.status]).toEqual([201, 'PENDING_PAYMENT']);
    expect((await shop.final(body.transaction)).status?.phase).toBe('Succeeded');
    const parts = [controller.part, ...Object.values(shop.services).map(({ part }) => part)];
    expect(parts).toHaveLength(PROCESSES.length);
    const ends = await Promise.all(parts.map(async ({ name, process }) => [name, await process.stop()]));
    expect(ends).toEqual(parts.map(({ name }) => [name, { code: 0, signal: null }]));
    expect(PROCESSES.map(({ name }) => filesIn(name))).toEqual(before);
  });

  test('ends at once, by itself, when it is told to before it has started', async () => {
    const { databaseUrl } = shop.services.inventory;
    const holder = new pg.Client({ connectionString: databaseUrl });
    await holder.connect();
    await holder.query('select pg_advisory_lock($1)', [TURN]);
    const env = {
      ...inheritedEnvironment(),
      ...{ HOST: '127.0.0.1', PORT: String(await freePort()), DATABASE_URL: databaseUrl },
      ...{ ORDERTX_NAMESPACES: 'shop', ORDERTX_AUTH: 'off' },
    };
    const spec = { name: 'waiting', command: process.execPath, args: [join(contentOf('inventory'), 'main.mjs')], env };
    const waiting = await shop.group.start(spec);
    const asksForItsTurn = async () => {
      const { rows } = await holder.query(
        `select from pg_stat_activity where application_name = 'migrate' and datname = current_database()`,
      );
      return rows.length > 0;
    };
    await waitFor(asksForItsTurn, { what: 'it to ask for its turn to migrate', deadlineMs: DEADLINE_MS });
    // By a code and not by the signal: as process 1 it would get none that it has no handler for.
    expect(await waiting.stop()).toEqual({ code: 143, signal: null });
    await holder.end();
  });

  test('does a service’s commands, as the page about a release has them, with a file by stdin', async () => {
    const command = pageCommands('docs/operating/README.md').find((line) => line.startsWith('kubectl exec')) ?? '';
    const [, settle = ''] = / -- node \/app\/main\.mjs (settle .*)$/.exec(command) ?? [];
    const run = async (service: 'order' | 'inventory', args: string): Promise<string> => {
      const env = {
        ...{ ...inheritedEnvironment(), PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
        ...{ DATABASE_URL: shop.services[service].databaseUrl, ORDERTX_NAMESPACES: shop.namespace },
      };
      const program = join(contentOf(service), 'main.mjs');
      return (await promisify(execFile)('sh', ['-c', `node '${program}' ${args}`], { env })).stdout;
    };
    expect(await run('order', settle.replace('shop/', `${shop.namespace}/`))).toContain('Cancelled');
    const lines = [{ skuId: 'tea', quantity: 1, unitPriceCents: 450 }];
    const payload = join(folder, 'payload.json');
    writeFileSync(payload, JSON.stringify({ orderId: 'o77', userId: 'u1', lines, totalCents: 450 }));
    const confirm = `settle --transaction ${shop.namespace}/create-o77 --branch inventory --path /tcc/create-order --as Confirmed`;
    expect(await run('inventory', `${confirm} --reason 'row was lost' --payload /dev/stdin < ${payload}`)).toContain(
      'Confirmed',
    );
  });

  test('names its sources where it fails, if it is asked to', async () => {
    const env = {
      ...{ ...inheritedEnvironment(), NODE_OPTIONS: '--enable-source-maps', PORT: String(await freePort()) },
      ...{ DATABASE_URL: shop.services.order.databaseUrl, REDIS_URL: shop.redisUrl, ORDERTX_AUTH: 'off' },
      ...{ PAYMENT_URL: 'http://127.0.0.1:1', ORDER_PRICES: 'trusted', KUBECONFIG: shop.access.orderKubeconfig },
      ORDERTX_NAMESPACES: 'elsewhere',
    };
    const failing = promisify(execFile)(process.execPath, [join(contentOf('order'), 'main.mjs')], { env });
    await expect(failing).rejects.toMatchObject({
      stderr: expect.stringMatching(/ORDERTX_NAMESPACES must name .*services\/order\/src\/service\.ts:\d+/),
    });
  });

  test('hears signals before it runs anything else', () => {
    for (const { name } of PROCESSES) {
      const program = readFileSync(join(contentOf(name), 'main.mjs'), 'utf8');
      const sources = [...program.matchAll(/^\/\/ ((?:services|controller)\/.*)$/gm)].map(([, source]) => source);
      // Packages in CommonJS, and what is imported where it is needed, stand before it and run when they are asked for.
      const [first] = sources.filter((source) => source !== 'services/tracing/src/sdk.ts');
      expect([name, first]).toEqual([name, 'services/kit/src/early-signal.ts']);
    }
  });
});

interface Bill {
  readonly creationInfo: { readonly created: string };
  readonly packages: readonly {
    readonly SPDXID: string;
    readonly name: string;
    readonly versionInfo?: string;
    readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[];
    readonly externalRefs?: readonly { readonly referenceLocator: string }[];
  }[];
  readonly relationships: readonly {
    readonly spdxElementId: string;
    readonly relationshipType: string;
    readonly relatedSpdxElement: string;
  }[];
}

/** Packages that the program holds something of, as its comments say, with the version that is installed. */
function packagesIn(name: string): readonly string[] {
  const program = readFileSync(join(contentOf(name), 'main.mjs'), 'utf8');
  const paths = [...program.matchAll(/^ *\/\/ ((?:.*\/)?node_modules\/(?:@[^/\s]+\/)?[^/\s]+)\/\S+$/gm)].map(
    ([, path = '']) => path,
  );
  const named = [...new Set(paths)].map((path) => {
    const installed = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8')) as {
      readonly name: string;
      readonly version: string;
    };
    return `${installed.name}@${installed.version}`;
  });
  return named.toSorted();
}

test.each(PROCESSES.map(({ name }) => name))('the program of %s takes one byte a character', (name) => {
  const program = readFileSync(join(contentOf(name), 'main.mjs'));
  expect(program.findIndex((byte) => byte > 0x7f)).toBe(-1);
});

test('a character beyond ASCII in a regular expression is still that character', () => {
  const program = readFileSync(join(contentOf('controller'), 'main.mjs'), 'utf8');
  const [literal] = /\/\[[^\n\]]*\\u2026[^\n\]]*\]\$\//.exec(program) ?? [];
  expect(literal).toBeDefined();
  expect(new RegExp(literal?.slice(1, -1) ?? '').test('wait…')).toBe(true);
});

describe('a bill of materials', () => {
  test.each(PROCESSES.map(({ name }) => name))('of %s names exactly what is bundled', (name) => {
    const bill = JSON.parse(readFileSync(join(contentOf(name), 'sbom.spdx.json'), 'utf8')) as Bill;
    const [image, base, ...packages] = bill.packages;
    expect(image).toMatchObject({ name: `ordertx-${name}` });
    expect(base).toMatchObject({ name: 'base:1' });
    const named = packages.map((each) => `${each.name}@${each.versionInfo}`);
    expect(named.toSorted()).toEqual(packagesIn(name));
    expect(named.length).toBeGreaterThan(40);
  });

  test('is SPDX 2.3: ids are unique and of its alphabet, everything belongs to the image, digests are hexadecimal', () => {
    for (const { name } of PROCESSES) {
      const bill = JSON.parse(readFileSync(join(contentOf(name), 'sbom.spdx.json'), 'utf8')) as Bill;
      const ids = bill.packages.map(({ SPDXID }) => SPDXID);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.filter((id) => !/^SPDXRef-[A-Za-z0-9.-]+$/.test(id))).toEqual([]);
      const related = bill.relationships.map(({ relatedSpdxElement }) => relatedSpdxElement);
      expect(related.toSorted()).toEqual(ids.toSorted());
      const digests = bill.packages.flatMap(({ checksums = [] }) => checksums);
      expect(
        digests.filter(
          ({ algorithm, checksumValue }) => algorithm !== 'SHA512' || !/^[0-9a-f]{128}$/.test(checksumValue),
        ),
      ).toEqual([]);
      const purls = bill.packages.flatMap(({ externalRefs = [] }) => externalRefs);
      expect(
        purls.filter(({ referenceLocator }) => !/^pkg:npm\/(%40[\w.-]+\/)?[\w.-]+@[\w.%-]+$/.test(referenceLocator)),
      ).toEqual([]);
      expect(bill.creationInfo.created).toBe('2026-09-21T14:13:20Z');
    }
  });
});
