/**
 * A release's life in a real API server, by helm 4 and by 3.18: installed, upgraded with a transaction in flight, put back, uninstalled, and
 * installed again under another name. There is no kubelet: what is looked at is what the API server has.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { kubectl, guardsEffective } from '../../local/cluster.ts';
import { startControlPlane, type ControlPlane } from '../../local/control-plane/start.ts';
import type { HelmMajor } from '../../local/helm.ts';
import { inheritedEnvironment, openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { waitFor } from '../../local/deadline.ts';
import { pageCommands, PageWalk, runAsWritten } from '../world/page-commands.ts';
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

/** What a controller writes to every flow. */
const IN_USE = '{"metadata":{"finalizers":["ordertx.dev/in-use"]}}';
/** As long as a release's name may be. */
const second = `second-${'x'.repeat(46)}`;
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
  const crdFlows = async () =>
    JSON.parse(await kube('get', 'crd', 'transactionflows.ordertx.dev', '-o', 'json')) as {
      readonly metadata: { readonly deletionTimestamp?: string };
    };
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

      await kube('patch', 'txflow', 'create-order', '--type=merge', '-p', '{"spec":{"timeoutSeconds":66}}');
      const env = { ...inheritedEnvironment(), KUBECONFIG: cluster.kubeconfig, HOME: group.folder };
      const names = {
        ...{ 'template ordertx': 'template shop', 'upgrade ordertx': 'upgrade shop' },
        '-f values.yaml': `-f ${await helm.valuesFile(REQUIRED)}`,
      };
      const run = { kubectl: cluster.kubectl, plugins: dirname(helm.program), env, names };
      const [upgrade = '', again = '', resources = '', ...others] = pageCommands('helm/ordertx/UPGRADING.md');
      expect(others).toEqual([]);
      await runAsWritten(again, run);
      expect(await patched()).toEqual([30, 128]);
      expect((await runAsWritten(resources, run)).stdout).toMatch(
        /customresourcedefinition\.\S*\/ordertransactions\.ordertx\.dev serverside-applied/,
      );
      await runAsWritten(upgrade, run);
      expect(await patched()).toEqual([30, 128]);
    },
    TEST_MS * 2,
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
      const more = ['--namespace', 'north', '--create-namespace'];
      const values = { crds: { enabled: false } };
      if (major === 4) {
        await onChart(['install', second, ...more], values);
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
        await helm.run(['install', second, umbrella, ...more, '-f', file], cluster.kubeconfig);
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

  if (major === 4)
    test(
      'nothing is left of it once the page about that has been followed',
      async () => {
        const env = { ...inheritedEnvironment(), KUBECONFIG: cluster.kubeconfig, HOME: group.folder };
        const run = { kubectl: cluster.kubectl, plugins: dirname(helm.program), env };
        await helm.run(['uninstall', second, '--namespace', 'north'], cluster.kubeconfig);
        const walk = new PageWalk('docs/operating/uninstalling.md', run);
        const unfinished = await walk.next('kubectl wait', { 'timeout=15m': 'timeout=1s' });
        expect(unfinished.stderr).toMatch(/timed out waiting for the condition on ordertransactions\/create-o1/);
        await kube('annotate', 'otx', 'create-o1', 'ordertx.dev/abandon=the release is removed');
        await kube('delete', 'otx', 'create-o1');

        const done = async (beginning: string, names = {}) =>
          expect(await walk.next(beginning, names)).toMatchObject({ code: 0 });
        await done('kubectl delete txflow');
        await done('helm uninstall ordertx', { 'uninstall ordertx': 'uninstall again' });
        const rest = await walk.next('kubectl get lease,secret,rolebinding,otx');
        expect(rest.code).toBe(0);
        const left = await walk.next('kubectl get otx,txflow');
        expect(left.stdout).not.toContain('ordertransaction.');
        expect(left.stdout.match(/^north /gm)).toHaveLength(3);
        await kubectl(cluster, '--namespace', 'north', 'patch', 'txflow', 'pay-order', '--type=merge', '-p', IN_USE);
        await done('kubectl get txflow');
        await done('kubectl delete validatingadmissionpolicybinding ordertx-crd-guard');
        await waitFor(async () => kube('delete', 'crd', 'transactionflows.ordertx.dev', '--dry-run=server'), {
          what: 'the guard of the CRDs to be gone',
          deadlineMs: TEST_MS / 2,
        });
        // Somebody who has begun with the CRDs: the patch is taken while one waits for its flow.
        await kubectl(cluster, '--namespace', 'north', 'patch', 'txflow', 'pay-order', '--type=merge', '-p', IN_USE);
        const deleted = done('kubectl delete crd');
        await waitFor(async () => (await crdFlows()).metadata.deletionTimestamp !== undefined, {
          what: 'the CRD to be waited for',
          deadlineMs: TEST_MS / 2,
        });
        const [unbind = ''] = pageCommands('docs/operating/uninstalling.md').filter((line) =>
          line.includes('finalizers'),
        );
        await runAsWritten(unbind, run);
        await deleted;
        await done('kubectl delete validatingadmissionpolicybindings,');
        await done('kubectl delete mutatingadmissionpolicybindings,');
        walk.end();

        const kinds = [
          ...[
            'deployments',
            'services',
            'networkpolicies',
            'poddisruptionbudgets',
            'roles',
            'rolebindings',
            'serviceaccounts',
          ],
          ...['clusterroles', 'clusterrolebindings', 'flowschemas', 'prioritylevelconfigurations', 'crds'],
          ...['validatingadmissionpolicies', 'validatingadmissionpolicybindings', 'mutatingadmissionpolicies'],
        ];
        const selector = ['--all-namespaces', '--selector', 'app.kubernetes.io/part-of=ordertx', '-o', 'name'];
        expect(await kubectl(cluster, 'get', kinds.join(','), ...selector)).toBe('');
      },
      TEST_MS,
    );
});
