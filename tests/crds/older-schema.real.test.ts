/**
 * A controller that is newer than the CRDs it finds: it says so, works on nothing, and goes on by itself once they are applied.
 *
 * Each test here begins where the one before ended.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { NEEDED_SCHEMAS, SCHEMA_ANNOTATION } from '../../crds/schema-revision.ts';
import type { RunningController } from '../../local/controllers.ts';
import { kubectl } from '../../local/cluster.ts';
import { waitFor } from '../../local/deadline.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { openShop, type Shop } from '../world/shop.ts';

const CRDS = resolve(import.meta.dirname, '../../crds');
const FILES = ['ordertransaction.yaml', 'transactionflow.yaml'] as const;
const [TRANSACTIONS, FLOWS] = ['ordertransactions.ordertx.dev', 'transactionflows.ordertx.dev'] as const;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const DEADLINE_MS = 20_000;

interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly versions: readonly { readonly selectableFields?: readonly { readonly jsonPath: string }[] }[];
  };
}

let own: OwnControlPlane;
let shop: Shop;
let controller: RunningController;
let waiting: string;

beforeAll(async () => {
  own = await openControlPlane();
  shop = await openShop('older-schema', { cluster: own.cluster });
  await shop.stock('tea', 10);
}, SETUP_MS);
afterAll(async () => {
  await shop.close();
  await own.close();
}, TEST_MS);

/** Applies both as a person does, with this mark. Without one they are of the time before there were any, and less can be selected by. */
async function applyCrds(mark?: string): Promise<void> {
  const files = await Promise.all(
    FILES.map(async (file) => {
      const { metadata, spec, ...crd } = parse(readFileSync(join(CRDS, file), 'utf8')) as Crd;
      const versions = spec.versions.map(({ selectableFields = [], ...version }) => {
        const kept = selectableFields.filter(({ jsonPath }) => mark !== undefined || jsonPath !== '.status.expires');
        return { ...version, ...(kept.length > 0 && { selectableFields: kept }) };
      });
      const annotations = mark === undefined ? {} : { [SCHEMA_ANNOTATION]: mark };
      const path = join(shop.group.folder, file);
      const other = { ...crd, metadata: { name: metadata.name, annotations }, spec: { ...spec, versions } };
      await writeFile(path, stringify(other));
      return path;
    }),
  );
  await kubectl(own.cluster, 'apply', '--server-side', ...files.flatMap((file) => ['-f', file]));
}

async function readyz(url: string): Promise<{ readonly status: number; readonly lines: readonly string[] }> {
  const answer = await fetch(`${url}/readyz`);
  return { status: answer.status, lines: (await answer.text()).trim().split('\n') };
}

const metricsOf = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();
const looksOf = async (url: string): Promise<number> =>
  sumOf(await metricsOf(url), 'rest_client_requests_total', { method: 'GET' });

/** Started, and waiting for what the line says of each CRD: they are read side by side, and answer one by one. */
const startedWaiting = (line: RegExp): Promise<RunningController> =>
  shop.startController({
    ready: async (url) => (await readyz(url)).lines.filter((each) => line.test(each)).length === NEEDED_SCHEMAS.size,
  });

test(
  'on older CRDs a controller is not ready, and says which one lacks what and what to do',
  async () => {
    await applyCrds();
    controller = await startedWaiting(/is older/);
    const { status, lines } = await readyz(controller.url);
    expect(status).toBe(503);
    expect(lines).toHaveLength(2);
    for (const [index, crd] of [TRANSACTIONS, FLOWS].entries()) {
      const { revision } = NEEDED_SCHEMAS.get(crd)!;
      expect(lines[index]).toContain(
        `the CRD ${crd} is older than this controller: its schema has no revision (annotation ${SCHEMA_ANNOTATION}), and ${revision} is needed: apply the CRDs (crds/) of version`,
      );
    }
    expect((await fetch(`${controller.url}/healthz`)).status).toBe(200);
    expect(sumOf(await metricsOf(controller.url), 'ordertx_crd_unfit')).toBe(2);
  },
  TEST_MS,
);

test(
  'it works on nothing meanwhile: an order that comes is stored and stays as it is',
  async () => {
    waiting = (await shop.order([TEA])).body.transaction;
    const stored = await shop.transactionWhen(waiting, 'to be stored', () => true);
    const looks = await looksOf(controller.url);
    await waitFor(async () => (await looksOf(controller.url)) >= looks + 2 * NEEDED_SCHEMAS.size, {
      what: 'two more looks at the CRDs',
      deadlineMs: DEADLINE_MS,
    });
    expect(await shop.transaction(waiting)).toEqual(stored);
    expect(stored.status).toBeUndefined();
    expect((await shop.flow())?.metadata).not.toHaveProperty('finalizers');
    const requests = await metricsOf(controller.url);
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE'])
      expect(sumOf(requests, 'rest_client_requests_total', { method })).toBe(0);
  },
  TEST_MS,
);

test(
  'once they are applied it goes on without a restart',
  async () => {
    const { pid } = controller.part.process;
    await kubectl(own.cluster, 'apply', '--server-side', ...FILES.flatMap((file) => ['-f', join(CRDS, file)]));
    expect((await shop.final(waiting, DEADLINE_MS)).status).toMatchObject({ phase: 'Succeeded' });
    expect(await readyz(controller.url)).toEqual({ status: 200, lines: ['ok'] });
    expect(sumOf(await metricsOf(controller.url), 'ordertx_crd_unfit')).toBe(0);
    expect([controller.part.process.hasExited(), controller.part.process.pid]).toEqual([undefined, pid]);
    await controller.part.process.stop();
  },
  TEST_MS,
);

test(
  'newer CRDs are no reason to wait',
  async () => {
    await applyCrds('99-f00d');
    controller = await shop.startController();
    const { body } = await shop.order([TEA], 20);
    expect((await shop.final(body.transaction, DEADLINE_MS)).status).toMatchObject({ phase: 'Succeeded' });
    await controller.part.process.stop();
  },
  TEST_MS,
);

test(
  'one that may not read the CRDs names the right it lacks, and ends at once when it is told to',
  async () => {
    const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
    expect((await own.admin.request('DELETE', `${bindings}/default-ordertx-controller`)).status).toBe(200);
    controller = await startedWaiting(/may not be read/);
    const { status, lines } = await readyz(controller.url);
    expect(status).toBe(503);
    expect(lines).toContain(
      `the CRD ${TRANSACTIONS} may not be read by this controller's account: give it a ClusterRole with the verb get on customresourcedefinitions.apiextensions.k8s.io, resourceNames [${TRANSACTIONS}]`,
    );
    expect(await controller.part.process.stop()).toEqual({ code: 0, signal: null });
  },
  TEST_MS,
);
