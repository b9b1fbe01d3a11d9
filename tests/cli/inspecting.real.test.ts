/** What kubectl's plugin says of the system itself: top, check, report, completion, and its package for krew. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import type { RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { freePort } from '../../local/ports.ts';
import { packForKrew } from '../../scripts/krew-manifest.ts';
import { openTappedShop, TEA, type TappedShop } from '../chaos/every-request.ts';
import { pageCommands } from '../world/page-commands.ts';
import { world } from '../world/world.ts';
import { SLOW_RETRY, type Begun, type Shop } from '../world/shop.ts';
import { grant } from './access.ts';
import { buildPlugin, pluginEnvironment, type Plugin } from './plugin.ts';
import { atTerminal } from './pseudo-terminal.ts';

const SETUP_MS = 120_000;
const run = promisify(execFile);

let tapped: TappedShop;
let shop: Shop;
let plugin: Plugin;
let controller: RunningController;
let begun: Begun;

beforeAll(async () => {
  tapped = await openTappedShop('inspecting');
  ({ shop } = tapped);
  await shop.putFlow('slow', { origins: tapped.origins, retry: SLOW_RETRY, timeoutSeconds: 3_600 });
  const allowEndpoints = [...Object.values(tapped.origins), ...Object.values(shop.origins)];
  controller = await shop.startController({ allowEndpoints, env: { HOST: '0.0.0.0' } });
  plugin = await buildPlugin(shop.namespace);
  tapped.tap.reset({ before: ({ to }) => (to === 'inventory' ? { status: 500 } : 'pass') });
  begun = await shop.begin('slow', [TEA]);
  await shop.transactionWhen(begun.name, 'to fail', ({ status }) => status?.waitingFor === 'inventory');
}, SETUP_MS);
afterAll(async () => {
  await plugin.close();
  await tapped.close();
}, SETUP_MS);

describe('top', () => {
  test('is one look where nobody watches', async () => {
    const { code, out } = await plugin.run(['top']);
    expect(code).toBe(0);
    expect(out).toContain('1 unfinished transaction, 1 incident\n');
    expect(out).toMatch(/slow\s+1\s+0\s+1\s/);
    expect(out).toContain('the try at inventory is not done');
    expect(out).not.toContain('\u001b');
  });

  test('at a terminal goes on until Ctrl-C, and leaves no trace of itself', async () => {
    const command = [process.execPath, plugin.program, '-n', shop.namespace, 'top', '--interval', '500ms'];
    const shown = await atTerminal(command, pluginEnvironment(), [
      { after: /1 unfinished transaction/, keys: '' },
      { after: /1 unfinished transaction \(0\)/, keys: '\u0003' },
    ]);
    expect(shown.code).toBe(130);
    expect(shown.screen.split('1 unfinished transaction').length).toBeGreaterThan(2);
    expect(shown.screen.trimEnd().endsWith('^C')).toBe(true);
  });
});

interface Finding {
  readonly what: string;
  readonly state: string;
  readonly sentence: string;
}

async function findings(...args: readonly string[]): Promise<ReadonlyMap<string, Finding>> {
  const { out } = await plugin.run(['check', '-o', 'json', ...args]);
  const { items } = JSON.parse(out) as { items: Finding[] };
  return new Map(items.map((finding) => [finding.what, finding]));
}

describe('check', () => {
  test('finds what is installed in force, and the controller and its Redis well', async () => {
    // A controller looks at Redis now and then, and for the first time while it connects.
    const found = await waitFor(
      async () => {
        const all = await findings('--controller', controller.url);
        return all.get(`Redis from ${controller.url}`)?.state === 'ok' ? all : undefined;
      },
      { what: 'the controller to have seen its Redis', deadlineMs: 30_000, everyMs: 500 },
    );
    for (const what of [
      'CRD ordertransactions',
      'CRD transactionflows',
      `controller ${controller.url}`,
      `Redis from ${controller.url}`,
    ]) {
      expect(found.get(what)).toMatchObject({ what, state: 'ok' });
    }
    const guards = [...found.values()].filter(({ what }) => what.startsWith('guard '));
    expect(guards.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        'guard ordertransactions-acts-by',
        ...['acts', 'payload-guard', 'delete-guard', 'acts-by', 'managed-fields'].map(
          (name) => `guard ordertransactions-${name}, tried`,
        ),
      ]),
    );
    expect(guards.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(found.get('may suspend ordertransactions')).toMatchObject({ state: 'ok' });
    // This shop's controller works without Leases.
    expect(found.get('Leases')).toMatchObject({ state: 'warning' });
  });

  test('tries guards by dry run only: the transaction they were tried on is as it was', async () => {
    const before = await shop.transaction(begun.name);
    const found = await findings();
    expect(found.get('guard ordertransactions-delete-guard, tried')).toMatchObject({ state: 'ok' });
    const after = await shop.transaction(begun.name);
    expect(after?.spec).toEqual(before?.spec);
    expect(after?.metadata).toMatchObject({ uid: before?.metadata.uid, generation: before?.metadata.generation });
    expect(await shop.transaction('ordertx-check-probe')).toBeUndefined();
  });

  test('reaches a controller through the API server, at its Service', async () => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal)?.address;
    // The API server is a proxy to no loopback address.
    if (address === undefined) throw new Error('this machine needs an IPv4 address beside the loopback');
    const metadata = { name: 'controller' };
    const core = `/api/v1/namespaces/${shop.namespace}`;
    const ports = [{ name: 'http', port: Number(new URL(controller.url).port) }];
    const created = async (plural: string, object: object): Promise<void> => {
      expect(await shop.admin.request('POST', `${core}/${plural}`, { metadata, ...object })).toMatchObject({
        status: 201,
      });
    };
    await created('services', { spec: { clusterIP: 'None', ports } });
    // It goes to addresses of pods only. This one is the controller's process, as far as the API server is told.
    await created('serviceaccounts', { metadata: { name: 'default' } });
    await created('pods', { spec: { containers: [{ name: 'controller', image: 'none' }] } });
    const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }] };
    expect(await shop.admin.request('PATCH', `${core}/pods/controller/status`, { status })).toMatchObject({
      status: 200,
    });
    const targetRef = { kind: 'Pod', name: 'controller', namespace: shop.namespace };
    await created('endpoints', { subsets: [{ addresses: [{ ip: address, targetRef }], ports }] });

    const where = `${shop.namespace}/controller:http`;
    const { out } = await plugin.run(['describe', begun.name, '--controller', where]);
    expect(out).toMatch(/the controller \S+ says:\n\s+tried since it started: order, inventory/);
    expect((await plugin.run(['check', '--controller', where])).out).toMatch(
      /controller \S+controller:http\s+ok\s+ready/,
    );
  });

  test('fails over a Lease that nobody renews and a controller that is not there', async () => {
    await shop.admin.request('POST', `/apis/coordination.k8s.io/v1/namespaces/${shop.namespace}/leases`, {
      metadata: { name: 'ordertx-shard-0-of-1' },
      spec: { holderIdentity: 'gone', leaseDurationSeconds: 15, renewTime: '2026-11-22T23:15:00.000000Z' },
    });
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const { code, out } = await plugin.run(['check', '--controller', nobody]);
    expect(code).toBe(1);
    expect(out).toMatch(/Lease ordertx-shard-0-of-1\s+wrong\s+nobody has renewed it for/);
    expect(out).toMatch(/controller http:\/\/127\.0\.0\.1:\d+\s+wrong/);
  });

  test('says of whom has few rights what cannot be seen, and what may not be done', async () => {
    await grant(shop.admin, shop.namespace, 'helper', [
      { apiGroups: ['ordertx.dev'], resources: ['ordertransactions'], verbs: ['list'] },
    ]);
    const found = await findings('--as', 'helper');
    expect(found.get('CRD ordertransactions')).toMatchObject({
      state: 'unknown',
      sentence: expect.stringContaining('helper may not get customresourcedefinitions.apiextensions.k8s.io'),
    });
    expect(found.get('guard ordertransactions-delete-guard, tried')).toMatchObject({
      state: 'unknown',
      sentence: expect.stringContaining('helper may not delete ordertransactions.ordertx.dev'),
    });
    expect(found.get('may list ordertransactions')).toMatchObject({ state: 'ok' });
    expect(found.get('may suspend ordertransactions')).toMatchObject({
      state: 'warning',
      sentence: 'no: needed for suspend, resume',
    });
  });
});

describe('migrate', () => {
  test('is asked about, then every object is stored in the storage version', async () => {
    expect((await plugin.run(['migrate'])).err).toContain('Nobody can be asked here: say --yes');
    const { code, out } = await plugin.run(['migrate', '--yes']);
    expect(out).toMatch(/^ordertransactions\.ordertx\.dev: \d+ objects? stored in v1alpha1/);
    expect(out).toMatch(/\ntransactionflows\.ordertx\.dev: \d+ objects? stored in v1alpha1/);
    expect(code).toBe(0);
    const refused = await plugin.run(['migrate', '--yes', '--as', 'nobody-at-all']);
    expect(refused).toMatchObject({ code: 1, out: expect.stringContaining('refused: the CRD') });
  });
});

describe('report', () => {
  test('holds how transactions move, and no name, order, payload or person', async () => {
    const { code, out } = await plugin.run(['report', '--file', '-', '--controller', controller.url]);
    expect(code).toBe(0);
    const { sections } = JSON.parse(out) as { sections: Record<'transactions' | 'metrics', { content?: unknown }> };
    expect(sections.transactions).toMatchObject({
      content: { unfinished: 1, examples: [{ spec: { flow: 'slow' }, status: { waitingFor: 'inventory' } }] },
    });
    expect(JSON.stringify(sections.metrics)).toContain('ordertx_redis_up');
    for (const secret of [begun.orderId, begun.orderId.slice(1), 'skuId', 'unitPriceCents']) {
      expect(JSON.stringify(sections.transactions)).not.toContain(secret);
    }
  });

  test('is written also by who may read little, and says what is left out', async () => {
    const path = join(dirname(plugin.program), 'report.json');
    const { code, out, err } = await plugin.run(['report', '--file', path, '--as', 'nobody-at-all']);
    expect({ code, out }).toEqual({ code: 0, out: `${path}\n` });
    expect(err).toContain('Left out: flows: ');
    expect(await readFile(path, 'utf8')).not.toContain('nobody-at-all');
    const again = await plugin.run(['report', '--file', path]);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('cannot be written') });
  });
});

describe('completion', () => {
  test.each([
    [['inc'], ['incidents']],
    [['list', '--sta'], []],
    [['list', '--st'], ['--stuck']],
    [
      ['list', '-o', 'js'],
      ['json', 'jsonpath='],
    ],
    [['list', '--flow', 'sl'], ['slow']],
    [['hold', 'sl'], ['slow']],
    [['hold', '--target', 'inv'], ['inventory']],
  ])('of %j is %j', async (words, expected) => {
    expect(await completed(words)).toEqual(expected);
  });

  test('of an incident and of a transaction is what there is now', async () => {
    expect(await completed(['retry', 'create-'])).toEqual([begun.name]);
    expect(await completed(['retry', '--incident', ''])).toEqual([expect.stringMatching(/^[0-9a-f]{8}$/)]);
  });

  test('says nothing of what goes wrong', async () => {
    const { stdout, stderr } = await run(await completer(), ['retry', ''], {
      env: pluginEnvironment({ KUBECONFIG: '/nonexistent' }),
    });
    expect({ stdout, stderr }).toEqual({ stdout: ':4\n', stderr: '' });
  });
});

let completerPath: Promise<string> | undefined;

/** As npm installs it: another name for the same file. */
function completer(): Promise<string> {
  const path = join(dirname(plugin.program), 'kubectl_complete-ordertx');
  return (completerPath ??= symlink(plugin.program, path).then(() => path));
}

/** Candidates without their descriptions; fails without the directive at the end. */
async function completed(words: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run(await completer(), ['-n', shop.namespace, ...words], { env: pluginEnvironment() });
  const lines = stdout.trimEnd().split('\n');
  expect(lines.pop()).toBe(':4');
  return lines.map((line) => line.split('\t')[0] ?? '');
}

/** As the page calls the one that it goes on about. */
const INCIDENT = '3fa9c2d1';

async function incidentNow(): Promise<string> {
  return (await plugin.run(['incidents', '--flow', 'create-order', '-o', 'name'])).out.split('\n')[0] ?? '';
}

test(
  'every command of its page runs as it is written',
  async () => {
    await shop.applyFlow(tapped.origins);
    // The page's commands one after the other may take longer than a customer waits.
    const patience = { spec: { timeoutSeconds: 3_600 } };
    await shop.admin.request('PATCH', shop.pathOf('transactionflows', 'create-order'), patience);
    const own = await shop.begin('create-order', [TEA]);
    await shop.transactionWhen(own.name, 'to fail', ({ status }) => status?.waitingFor === 'inventory');
    const folder = dirname(plugin.program);
    const kubeconfig = join(folder, 'kubeconfig');
    const config = parse(await readFile(world().kubeconfig, 'utf8')) as { contexts: { context: object }[] };
    const contexts = config.contexts.map((each) => ({
      ...each,
      context: { ...each.context, namespace: shop.namespace },
    }));
    await writeFile(kubeconfig, JSON.stringify({ ...config, contexts }));
    const environment = pluginEnvironment({ KUBECONFIG: kubeconfig, ARCHIVE_DATABASE_URL: '' });
    const env = { ...environment, PATH: `${folder}:${environment.PATH}` };
    // Of npm's two the one was run before this test, the other would install it for the whole machine.
    const commands = pageCommands('docs/operating/plugin.md').filter((command) => !command.startsWith('npm '));
    expect(commands.length).toBeGreaterThan(12);
    const codes: string[] = [];
    for (const command of commands) {
      const isAct = /ordertx (retry|suspend|resume|hold|release|cancel)/.test(command);
      if (command.includes('release')) tapped.tap.reset({});
      const id = command.includes(INCIDENT) ? await incidentNow() : '';
      const line =
        command.replaceAll('create-o1001', own.name).replaceAll(INCIDENT, id) + (isAct ? ' --yes --timeout 5s' : '');
      const ended = await run('sh', ['-c', line], { env }).then(
        () => 'well',
        (error: unknown) => `${command}: ${(error as { stdout: string }).stdout}${(error as Error).message}`,
      );
      // Nobody mends inventory between these lines, and this shop's controller has no Lease.
      const mayFail = /retry --incident|check/.test(command);
      if (!mayFail || /usage|unknown (option|command)|fault of/.test(ended)) codes.push(ended);
    }
    expect(codes.filter((ended) => ended !== 'well')).toEqual([]);
  },
  SETUP_MS,
);

test('its package for krew names the archive’s digest, and nowhere that the publisher did not say', async () => {
  const published = { homepage: 'https://example.test/ordertx', archive: 'https://example.test/ordertx.tar.gz' };
  const folder = join(dirname(plugin.program), 'krew', 'plugin');
  const { archivePath, manifestPath } = await packForKrew(published, folder);
  const { metadata, spec } = parse(await readFile(manifestPath, 'utf8')) as {
    metadata: object;
    spec: { homepage: string; platforms: { uri: string; sha256: string; bin: string }[] };
  };
  expect(metadata).toEqual({ name: 'ordertx' });
  expect(spec.homepage).toBe(published.homepage);
  const sha256 = createHash('sha256')
    .update(await readFile(archivePath))
    .digest('hex');
  expect(spec.platforms).toMatchObject([{ uri: published.archive, sha256, bin: 'kubectl-ordertx' }]);
  const { stdout } = await run('tar', ['-tzf', archivePath]);
  expect(stdout.split('\n').filter(Boolean).toSorted()).toEqual(['LICENSE', 'kubectl-ordertx']);
});
