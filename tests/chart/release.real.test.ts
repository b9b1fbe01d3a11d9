/**
 * A release's life in a real API server, by helm 4 and by 3.18: installed, upgraded with a transaction in flight, put back, uninstalled, and
 * installed again under another name. There is no kubelet: what is looked at is what the API server has.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectl, guardsEffective } from '../../local/cluster.ts';
import { startControlPlane, type ControlPlane } from '../../local/control-plane/start.ts';
import type { HelmMajor } from '../../local/helm.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { CHART, openHelm, over, REQUIRED, type Helm, type Values } from './chart.ts';

const SETUP_MS = 900_000;
const TEST_MS = 120_000;
const NAMESPACE = 'shop';

let group: ProcessGroup;

beforeAll(async () => {
  group = await openProcessGroup();
}, SETUP_MS);
afterAll(() => group.close());

type Flow = {
  readonly metadata: { readonly uid: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly timeoutSeconds: number;
    readonly participants: readonly {
      readonly name: string;
      readonly maxConcurrency: number;
      readonly endpoint: unknown;
    }[];
  };
};

const timeout = (timeoutSeconds: number): Values => ({ flows: { settings: { 'create-order': { timeoutSeconds } } } });

describe.each<HelmMajor>([4, 3])('helm %i', (major) => {
  let cluster: ControlPlane;
  let helm: Helm;

  beforeAll(async () => {
    [cluster, helm] = await Promise.all([
      startControlPlane(group, { folder: `control-plane-${major}`, unsafeNoFsync: true }),
      openHelm(major),
    ]);
  }, SETUP_MS);
  afterAll(() => Promise.all([cluster.admin.close(), helm.close()]));

  async function onChart(command: readonly string[], values: Values = {}, chart = CHART): Promise<string> {
    const file = await helm.valuesFile(over(REQUIRED, values));
    const [verb = '', name = '', ...more] = command;
    const namespace = more.includes('--namespace') ? [] : ['--namespace', NAMESPACE];
    // dry-run.real.test.ts has the objects validated; here it would be half of helm's work.
    const quick = ['--disable-openapi-validation'];
    return helm.run([verb, name, chart, ...namespace, '-f', file, ...quick, ...more], cluster.kubeconfig);
  }
  const kube = (...args: readonly string[]) => kubectl(cluster, '--namespace', NAMESPACE, ...args);
  const flow = async () => JSON.parse(await kube('get', 'txflow', 'create-order', '-o', 'json')) as Flow;
  const inFlight = async () =>
    (await kube('get', 'otx', 'create-o1', '-o', 'jsonpath={.metadata.uid} {.metadata.resourceVersion}')).trim();
  const failed = (doing: Promise<string>) => doing.then(() => 'it did not fail', String);

  test(
    'installs on a cluster that knew nothing of it: CRDs, guards, flows and all else',
    async () => {
      const notes = await onChart(['install', 'shop', '--create-namespace']);
      expect(notes.includes('helm upgrade shop CHART --namespace shop --reuse-values')).toBe(major === 3);
      expect((await flow()).metadata.annotations).toMatchObject({ 'helm.sh/hook': 'post-install,post-upgrade' });
      expect((await kube('get', 'deployments', '-o', 'name')).trim().split('\n')).toHaveLength(8);
      await guardsEffective(cluster.admin, true);
    },
    TEST_MS,
  );

  test(
    'an upgrade takes the flows over, by an unfinished transaction too; nothing of that one changes',
    async () => {
      await writeFile(
        join(group.folder, 'transaction.json'),
        JSON.stringify({
          ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name: 'create-o1' } },
          spec: { flow: 'create-order', orderId: 'o1', payload: {} },
        }),
      );
      await kube('apply', '-f', join(group.folder, 'transaction.json'));
      const before = await inFlight();
      const { uid } = (await flow()).metadata;

      await onChart(['upgrade', 'shop'], timeout(33));
      expect(await inFlight()).toBe(before);
      const { metadata, spec } = await flow();
      expect(metadata.uid).toBe(uid);
      // Helm 3.18 takes over without writing anything: NOTES.txt tells who uses it to have that behind him.
      expect(spec.timeoutSeconds).toBe(major === 4 ? 33 : 30);
      expect('helm.sh/hook' in metadata.annotations).toBe(major === 3);
    },
    TEST_MS,
  );

  test(
    'from then on a release’s flows follow its values, and a rollback leaves flows and transactions where they are',
    async () => {
      const before = await inFlight();
      await onChart(['upgrade', 'shop'], timeout(44));
      expect((await flow()).spec.timeoutSeconds).toBe(44);
      await helm.run(['rollback', 'shop', '2', '--namespace', NAMESPACE], cluster.kubeconfig);
      expect((await flow()).spec.timeoutSeconds).toBe(33);
      expect(await inFlight()).toBe(before);
    },
    TEST_MS,
  );

  test(
    'a flow that was patched by hand: 3.18 keeps what the chart does not change, 4 refuses until it is told',
    async () => {
      const patch = [
        { op: 'add', path: '/spec/participants/1/maxConcurrency', value: 128 },
        { op: 'replace', path: '/spec/timeoutSeconds', value: 55 },
      ];
      await kube('patch', 'txflow', 'create-order', '--type=json', '-p', JSON.stringify(patch));
      const patched = async () => {
        const { spec } = await flow();
        return [spec.timeoutSeconds, spec.participants[1]?.maxConcurrency];
      };
      const upgraded = await failed(onChart(['upgrade', 'shop'], { logLevel: 'warn', ...timeout(33) }));
      expect(await patched()).toEqual([55, 128]);
      if (major === 3) {
        expect(upgraded).toBe('it did not fail');
        await onChart(['upgrade', 'shop'], timeout(44));
        expect(await patched()).toEqual([44, 128]);
      } else {
        expect(upgraded).toMatch(/conflict with "kubectl-patch" using ordertx\.dev\/v1alpha1: \.spec\.timeoutSeconds/);
        await onChart(['upgrade', 'shop', '--force-conflicts'], { logLevel: 'warn', ...timeout(33) });
        // The chart says nothing of maxConcurrency, so that stays the hand's.
        expect(await patched()).toEqual([33, 128]);
      }
    },
    TEST_MS,
  );

  test(
    'uninstalled, it leaves CRDs, guards and flows: an unfinished transaction is still not deleted',
    async () => {
      const printed = await helm.run(['uninstall', 'shop', '--namespace', NAMESPACE], cluster.kubeconfig);
      expect(printed).toMatch(/kept due to the resource policy[^]*ordertransactions\.ordertx\.dev[^]*create-order/);
      expect(await kube('get', 'deployments,services,networkpolicies,roles,serviceaccounts', '-o', 'name')).toBe('');
      expect(await failed(kube('delete', 'otx', 'create-o1'))).toMatch(
        /ordertransactions-delete-guard.* denied request: transaction create-o1 is not finished/,
      );
      expect(await failed(kube('delete', 'crd', 'ordertransactions.ordertx.dev'))).toMatch(
        /ordertx-crd-guard.* denied/,
      );
      expect((await flow()).metadata.annotations).toMatchObject({ 'helm.sh/resource-policy': 'keep' });
    },
    TEST_MS,
  );

  test(
    'under another name it is installed again with --take-ownership, and its flows call what is there now',
    async () => {
      const before = await inFlight();
      expect(await failed(onChart(['install', 'again']))).toMatch(/must equal "again": current value is "shop"/);
      await onChart(['install', 'again', '--take-ownership']);
      const { spec } = await flow();
      expect(spec.participants.map(({ endpoint }) => endpoint)).toEqual([
        { service: { name: 'again-ordertx-order', port: 8081 } },
        { service: { name: 'again-ordertx-inventory', port: 8081 } },
      ]);
      expect(await inFlight()).toBe(before);
    },
    TEST_MS,
  );

  test(
    'beside it there is room for a second release in another namespace, with a name as long as names may be',
    async () => {
      const name = `second-${'x'.repeat(46)}`;
      const more = ['--namespace', 'north', '--create-namespace'];
      const values = { crds: { enabled: false } };
      if (major === 4) {
        await onChart(['install', name, ...more], values);
      } else {
        // Under an umbrella, which is one more way to be second.
        const umbrella = await mkdtemp(join(tmpdir(), 'ordertx-umbrella-'));
        await mkdir(join(umbrella, 'charts'));
        await symlink(CHART, join(umbrella, 'charts', 'ordertx'));
        const dependency = { name: 'ordertx', version: '0.1.0', condition: 'ordertx.enabled' };
        const chart = { apiVersion: 'v2', name: 'umbrella', version: '1.0.0', dependencies: [dependency] };
        await writeFile(join(umbrella, 'Chart.yaml'), JSON.stringify(chart));
        const ordertx = over(REQUIRED, { ...values, enabled: true });
        const file = await helm.valuesFile({ global: { region: 'north' }, ordertx });
        await helm.run(['install', name, umbrella, ...more, '-f', file], cluster.kubeconfig);
        await rm(umbrella, { recursive: true });
      }
      const north = (await kubectl(cluster, '--namespace', 'north', 'get', 'deployments', '-o', 'name'))
        .trim()
        .split('\n');
      expect(north).toHaveLength(8);
      expect(north.every((deployment) => deployment.startsWith('deployment.apps/second-xxx'))).toBe(true);
      expect(
        (await kubectl(cluster, '--namespace', 'north', 'get', 'txflow', '-o', 'name')).trim().split('\n'),
      ).toHaveLength(3);
      // Neither has taken anything from the other.
      expect((await kube('get', 'deployments', '-o', 'name')).trim().split('\n')).toHaveLength(8);
    },
    TEST_MS,
  );
});
