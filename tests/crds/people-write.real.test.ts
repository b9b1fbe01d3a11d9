/**
 * What people do to transactions with kubectl works alike whether managed fields are removed at creation or not: on an API server
 * that serves the policy's kind, and on an older one that does not.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { ApiServer } from '../../local/control-plane/api.ts';
import { createNamespace } from '../../local/cluster.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { world } from '../world/world.ts';
import { branches, collectionPath, connectAsAdmin, manifest, status, storeTransaction } from './stored-transaction.ts';

const run = promisify(execFile);
const NAMESPACE = 'people-write';
const SETUP_MS = 120_000;
/** The oldest that the API server under test can pass itself off as; it serves no MutatingAdmissionPolicy. */
const OLDER = ['--emulated-version=1.33'];
const CONFIRMING = status({ phase: 'Confirming', decision: 'Confirm', branches: branches('Tried', 'Tried') });
const ENDED = status({ phase: 'Succeeded', decision: 'Confirm', branches: branches('Confirmed', 'Confirmed') });

type Stored = OrderTransaction & { readonly metadata: { readonly managedFields?: readonly object[] } };

describe.each([
  { where: 'with the policy', older: false },
  { where: 'on an API server that does not serve it', older: true },
])('$where', ({ older }) => {
  let own: OwnControlPlane | undefined;
  let api: ApiServer;
  let access: { readonly kubectl: string; readonly kubeconfig: string };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ordertx-people-write-'));
    if (older) own = await openControlPlane({ apiserverFlags: OLDER });
    api = own?.admin ?? connectAsAdmin();
    access = own?.cluster ?? world();
    await createNamespace(api, NAMESPACE);
  }, SETUP_MS);
  afterAll(async () => {
    await (own?.close() ?? api.close());
    await rm(folder, { recursive: true, force: true });
  });

  async function kubectl(args: readonly string[], editor?: string): Promise<string> {
    const all = ['--kubeconfig', access.kubeconfig, '--namespace', NAMESPACE, ...args];
    const { stdout } = await run(access.kubectl, all, {
      env: { ...process.env, ...(editor !== undefined && { KUBE_EDITOR: editor }) },
    });
    return stdout;
  }

  const read = async (name: string): Promise<Stored> =>
    (await api.request('GET', `${collectionPath(NAMESPACE)}/${name}`)).body as Stored;

  /** A file of it, with these fields of its spec and labels. */
  async function fileOf(name: string, spec: object, labels: Readonly<Record<string, string>> = {}): Promise<string> {
    const file = join(folder, `${name}.json`);
    const whole = manifest(name, spec as Readonly<Record<string, unknown>>) as { readonly metadata: object };
    await writeFile(file, JSON.stringify({ ...whole, metadata: { ...whole.metadata, labels } }));
    return file;
  }

  /** To suspend or to let go on, as it is written here: where the API server does not fill in who it is, with all names so far. */
  const suspending = (suspend: boolean, ...before: readonly ('suspendedBy' | 'resumedBy')[]) => ({
    suspend,
    ...(older &&
      Object.fromEntries([...before, suspend ? 'suspendedBy' : 'resumedBy'].map((field) => [field, 'admin']))),
  });
  const SUSPENDING = JSON.stringify(suspending(true)).slice(1, -1);

  /** A file with nothing of it but its suspension, as whoever applies only what is theirs writes it. */
  async function suspendOf(name: string, spec: object): Promise<string> {
    const file = join(folder, `${name}-suspend.json`);
    const { apiVersion, kind } = manifest(name) as OrderTransaction;
    await writeFile(file, JSON.stringify({ apiVersion, kind, metadata: { name }, spec }));
    return file;
  }

  /** As the order service creates it and the controller carries it on: decided, not ended. */
  async function underWay(name: string) {
    const transaction = await storeTransaction(api, NAMESPACE, name);
    expect(await transaction.take(CONFIRMING)).toMatchObject({ kind: 'accepted' });
    return transaction;
  }

  test(`what a program creates has ${older ? '' : 'no '}managed fields, also after a status write`, async () => {
    await underWay('by-a-program');
    expect((await read('by-a-program')).metadata.managedFields !== undefined).toBe(older);
  });

  const ACTS: readonly { readonly act: string; readonly args: readonly string[]; readonly editor?: string }[] = [
    { act: 'annotate', args: ['annotate', 'otx', 'NAME', 'ordertx.dev/retry-requested-at=now'] },
    { act: 'label', args: ['label', 'otx', 'NAME', 'team=checkout'] },
    { act: 'patch', args: ['patch', 'otx', 'NAME', '--type=merge', '-p', `{"spec":{${SUSPENDING}}}`] },
    {
      act: 'patch by JSON patch',
      args: [
        ...['patch', 'otx', 'NAME', '--type=json', '-p'],
        `[{"op":"replace","path":"/spec/suspend","value":true}${older ? ',{"op":"add","path":"/spec/suspendedBy","value":"admin"}' : ''}]`,
      ],
    },
    {
      act: 'patch of the status',
      args: ['patch', 'otx', 'NAME', '--subresource=status', '--type=merge', '-p', '{"status":{"message":"seen"}}'],
    },
    {
      act: 'edit',
      args: ['edit', 'otx', 'NAME'],
      editor: `sed -i "s/suspend: false/${SUSPENDING.replaceAll('"', '').replaceAll(':', ': ').replace(',', '\\n  ')}/"`,
    },
    {
      act: 'edit of the status',
      args: ['edit', 'otx', 'NAME', '--subresource=status'],
      editor: 'sed -i "s/^  phase: Confirming/  message: seen\\n  phase: Confirming/"',
    },
  ];
  test.each(ACTS)('kubectl $act changes it, and the controller goes on writing', async ({ act, args, editor }) => {
    const name = act.toLowerCase().replaceAll(/[^a-z]+/g, '-');
    const transaction = await underWay(name);
    const before = await read(name);
    await kubectl(
      args.map((each) => (each === 'NAME' ? name : each)),
      editor,
    );
    const after = await read(name);
    expect(after.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion);
    expect(changesOf(after)).toEqual([expectedOf(act)]);
    expect(await transaction.take(ENDED)).toMatchObject({ kind: 'accepted' });
  });

  test('kubectl replace puts back what get gave, changed', async () => {
    const transaction = await underWay('replaced');
    const got = JSON.parse(await kubectl(['get', 'otx', 'replaced', '-o', 'json'])) as { readonly spec: object };
    const file = join(folder, 'replaced.json');
    await writeFile(file, JSON.stringify({ ...got, spec: { ...got.spec, ...suspending(true) } }));
    await kubectl(['replace', '-f', file]);
    expect((await read('replaced')).spec.suspend).toBe(true);
    expect(await transaction.take(ENDED)).toMatchObject({ kind: 'accepted' });
  });

  test("a program's transaction can be applied client-side again and again", async () => {
    const transaction = await underWay('client-side');
    for (const spec of [suspending(true), suspending(false, 'suspendedBy'), suspending(true, 'resumedBy')]) {
      await kubectl(['apply', '-f', await fileOf('client-side', spec)]);
      expect((await read('client-side')).spec).toMatchObject(spec);
    }
    expect((await read('client-side')).spec).toMatchObject({ suspendedBy: 'admin', resumedBy: 'admin' });
    expect(await transaction.take(ENDED)).toMatchObject({ kind: 'accepted' });
  });

  test('what kubectl apply created it changes, and what is not in the file any more goes', async () => {
    await kubectl(['apply', '-f', await fileOf('applied', {}, { team: 'checkout' })]);
    await kubectl(['apply', '-f', await fileOf('applied', suspending(true))]);
    const { metadata, spec } = await read('applied');
    expect({ labels: metadata.labels, suspend: spec.suspend }).toEqual({ labels: undefined, suspend: true });
    // From then on server-side: kubectl takes its own former managed fields over.
    await kubectl(['apply', '--server-side', '-f', await fileOf('applied', suspending(false, 'suspendedBy'))]);
    expect((await read('applied')).spec.suspend).toBe(false);
  });

  test('what kubectl apply --server-side created it changes without a conflict, and what is not in the file any more goes', async () => {
    await kubectl(['apply', '--server-side', '-f', await fileOf('served', { suspend: false }, { team: 'checkout' })]);
    await kubectl(['apply', '--server-side', '-f', await fileOf('served', suspending(true))]);
    const { metadata, spec } = await read('served');
    expect({ labels: metadata.labels, suspend: spec.suspend }).toEqual({ labels: undefined, suspend: true });
  });

  test("a part of a program's transaction is applied server-side: over its creator by force, from then on without", async () => {
    const transaction = await underWay('in-part');
    await expect(
      kubectl(['apply', '--server-side', '-f', await suspendOf('in-part', suspending(true))]),
    ).rejects.toThrow(/conflict.*\.spec\.suspend/s);
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', await suspendOf('in-part', suspending(true))]);
    expect(await read('in-part')).toMatchObject({ spec: { suspend: true, flow: 'create-order' } });
    await kubectl(['apply', '--server-side', '-f', await suspendOf('in-part', suspending(false, 'suspendedBy'))]);
    expect(await read('in-part')).toMatchObject({ spec: { suspend: false }, status: { phase: 'Confirming' } });
    expect(await transaction.take(ENDED)).toMatchObject({ kind: 'accepted' });
  });

  const expectedOf = (act: string): string =>
    act === 'annotate' ? 'retry' : act === 'label' ? 'label' : act.endsWith('the status') ? 'message' : 'suspend';

  function changesOf({ metadata, spec, status: stored }: Stored): readonly string[] {
    return [
      ...(metadata.annotations?.['ordertx.dev/retry-requested-at'] === 'now' ? ['retry'] : []),
      ...(metadata.labels?.team === 'checkout' ? ['label'] : []),
      ...(stored?.message === 'seen' ? ['message'] : []),
      ...(spec.suspend ? ['suspend'] : []),
    ];
  }
});
