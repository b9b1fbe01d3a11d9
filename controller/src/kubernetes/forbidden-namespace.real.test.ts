/** A namespace that the controller may not read stops no other: it is named, and carried as soon as there is a Role. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { grantAccess, type Access } from '../../../local/access.ts';
import type { Cluster } from '../../../local/cluster.ts';
import { connect } from '../../../local/control-plane/api.ts';
import { startController, type RunningController } from '../../../local/controllers.ts';
import { waitFor } from '../../../local/deadline.ts';
import { freePort } from '../../../local/ports.ts';
import { openProcessGroup, type ProcessGroup } from '../../../local/process-group.ts';
import { adminTransport, createTransaction, expectOk } from '../../../tests/world/api-client.ts';
import { samplesOf } from '../../../tests/world/prometheus-text.ts';
import { freshNamespace, freshRedis, world } from '../../../tests/world/world.ts';
import { pathOf, TRANSACTIONS } from './stored-object.ts';

const TEST_MS = 60_000;

const transport = adminTransport();
let group: ProcessGroup;
let cluster: Cluster;
let access: Access;
let controller: RunningController;
let ours: string;
let theirs: string;

beforeAll(async () => {
  const { apiServerUrl: url, token, certificate, kubeconfig, kubectl, issuer } = world();
  group = await openProcessGroup();
  cluster = { url, certificate, kubeconfig, kubectl, issuer, admin: connect({ url, token, certificate }) };
  [ours, theirs] = await Promise.all([freshNamespace('may'), freshNamespace('may-not')]);
  access = await grantAccess(cluster, ours, group.folder);
  const namespaces = [theirs, ours];
  controller = await startController(group, {
    ...{ name: 'controller', port: await freePort(), kubeconfig: access.controllerKubeconfig, namespaces },
    ...{ redisUrl: await freshRedis(), allowEndpoints: [] },
  });
}, TEST_MS);

afterAll(async () => {
  await group.close();
  await cluster.admin.close();
  await transport.close();
});

async function sentence(namespace: string, name: string): Promise<string> {
  const path = pathOf(TRANSACTIONS, namespace, name);
  const { status } = await expectOk<OrderTransaction>(transport, { method: 'GET', path });
  return status?.message ?? '';
}

const carried = (namespace: string, name: string) =>
  waitFor(async () => /TransactionFlow .* does not exist/.test(await sentence(namespace, name)), {
    what: `the controller to look at ${namespace}/${name}`,
    deadlineMs: TEST_MS / 2,
  });

async function forbidden(): Promise<readonly (string | undefined)[]> {
  const text = await (await fetch(`${controller.url}/metrics`)).text();
  return samplesOf(text, 'ordertx_namespace_forbidden').map(({ labels }) => labels.watched);
}

test(
  'transactions of the other namespaces are carried; the one is named in the log and in the metrics',
  async () => {
    await createTransaction(transport, theirs, 'left');
    await createTransaction(transport, ours, 'carried');
    await carried(ours, 'carried');
    expect(await sentence(theirs, 'left')).toBe('');

    expect(await forbidden()).toEqual([theirs]);
    const said = (await readFile(controller.part.process.logFile, 'utf8'))
      .split('\n')
      .filter((line) => line.includes(theirs));
    expect(
      said.filter((line) => line.includes('may not be read, and nothing of it is carried until a Role allows it')),
    ).toEqual([
      expect.stringContaining(`cannot list resource \\"`),
      expect.stringContaining(`cannot list resource \\"`),
    ]);
  },
  TEST_MS,
);

test(
  'once there is a Role, what waited there is carried without a restart',
  async () => {
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${theirs}`;
    const role = await cluster.admin.request(
      'GET',
      `/apis/rbac.authorization.k8s.io/v1/namespaces/${ours}/roles/ordertx-controller`,
    );
    const { rules } = role.body as { readonly rules: unknown };
    await cluster.admin.request('POST', `${rbac}/roles`, { metadata: { name: 'controller' }, rules });
    await cluster.admin.request('POST', `${rbac}/rolebindings`, {
      metadata: { name: 'controller' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'controller' },
      subjects: [{ kind: 'ServiceAccount', name: 'ordertx-controller', namespace: ours }],
    });
    await carried(theirs, 'left');
    await waitFor(async () => (await forbidden()).length === 0, { what: 'the metric to end', deadlineMs: TEST_MS / 2 });
  },
  TEST_MS,
);
