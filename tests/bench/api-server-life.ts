/**
 * A transaction's life as services and controller write it, for nobody but the API server.
 */
import { Agent, Pool, request, type Dispatcher } from 'undici';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { ControlPlane } from '../../local/control-plane/start.ts';
import { waitFor } from '../../local/deadline.ts';
import { manifestsOf, type Variant } from './api-server-variants.ts';
import { CREATE_ORDER, decided, ended, EXPIRES, manifest } from './cel-cost-transactions.ts';

export interface Life {
  /** From its creation to its end. */
  transaction(): Promise<void>;
  /** Removes what has ended, as the controller removes a minute. */
  removeAll(): Promise<void>;
  close(): Promise<void>;
}

/** As the controller has. */
const CONNECTIONS_MAX = 64;
/** As the controller asks for. */
const REMOVED_AT_ONCE = 100;
const EFFECTIVE_MS = 60_000;
const JSON_TYPE = 'application/json';
const METADATA_ONLY = `${JSON_TYPE};as=PartialObjectMetadata;g=meta.k8s.io;v=v1`;
const METADATA_LIST_ONLY = `${JSON_TYPE};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`;

export async function openLife(plane: ControlPlane, variant: Variant): Promise<Life> {
  await install(plane, variant);
  const { url, token, certificate } = plane;
  const pool = new Pool(url, { connect: { ca: certificate }, connections: CONNECTIONS_MAX, allowH2: false });
  const watcher = new Agent({ connect: { ca: certificate }, bodyTimeout: 0 });
  const collection = collectionOf(variant);
  const send = async (
    method: Dispatcher.HttpMethod,
    path: string,
    object?: object,
    accept?: string,
  ): Promise<unknown> => {
    const answer = await pool.request({
      ...{ method, path },
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': JSON_TYPE,
        'user-agent': 'ordertx-bench',
        accept: accept ?? (variant.shortAnswers ? METADATA_ONLY : JSON_TYPE),
      },
      body: object === undefined ? null : JSON.stringify(object),
    });
    if (answer.statusCode < 300) return answer.body.json();
    throw new Error(`${method} ${path} was answered ${answer.statusCode}: ${await answer.body.text()}`);
  };
  let count = 0;
  await watch(plane, `${collection}?watch=true&fieldSelector=status.expires%3D&allowWatchBookmarks=true`, watcher);
  return {
    async transaction() {
      const created = manifest(variant.group, CREATE_ORDER, (count += 1));
      const { name } = created.metadata;
      let stored = (await send('POST', collection, created)) as OrderTransaction;
      const decision = decided(CREATE_ORDER);
      for (const status of [decision, ended(decision)]) {
        // As the controller does: without the spec, over exactly the copy it has.
        const { uid, resourceVersion } = stored.metadata;
        const { apiVersion, kind } = created;
        const body = { apiVersion, kind, metadata: { name, namespace: 'default', uid, resourceVersion }, status };
        stored = (await send('PUT', `${collection}/${name}/status`, body)) as OrderTransaction;
      }
    },
    async removeAll() {
      const path = `${collection}?fieldSelector=${encodeURIComponent(`status.expires=${EXPIRES}`)}&limit=${REMOVED_AT_ONCE}`;
      const accept = variant.shortAnswers ? METADATA_LIST_ONLY : JSON_TYPE;
      for (let more = true; more;) {
        const { metadata } = (await send('DELETE', path, undefined, accept)) as {
          metadata: { readonly continue?: string };
        };
        more = (metadata.continue ?? '') !== '';
      }
    },
    async close() {
      await Promise.all([pool.destroy(), watcher.destroy()]);
    },
  };
}

function collectionOf({ group }: Variant): string {
  return `/apis/${group}/v1alpha1/namespaces/default/ordertransactions`;
}

const PLACES: Readonly<Record<string, string>> = {
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  ValidatingAdmissionPolicy: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
  MutatingAdmissionPolicy: '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies',
  MutatingAdmissionPolicyBinding: '/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings',
};

/** Resolves once what the variant is made of is effective. */
async function install({ admin }: ControlPlane, variant: Variant): Promise<void> {
  for (const object of manifestsOf(variant)) {
    const path = PLACES[object.kind];
    if (path === undefined) throw new Error(`nowhere to create a ${object.kind}`);
    const { status, body } = await admin.request('POST', path, object);
    if (status !== 201)
      throw new Error(`${object.kind} of ${variant.name} was answered ${status}: ${JSON.stringify(body)}`);
  }
  const collection = collectionOf(variant);
  const probe = manifest(variant.group, CREATE_ORDER, 0);
  const isAsWanted = async (): Promise<boolean> => {
    const { status, body } = await admin.request('POST', `${collection}?dryRun=All`, probe);
    if (status !== 201) return false;
    const hasThem = (body as { metadata: { managedFields?: unknown } }).metadata.managedFields !== undefined;
    return hasThem !== variant.withoutManagedFields;
  };
  await waitFor(isAsWanted, { what: `${variant.name} to be effective`, deadlineMs: EFFECTIVE_MS });
}

/** What the controller's watch costs; nobody reads what it says. */
async function watch({ url, token }: ControlPlane, path: string, dispatcher: Agent): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, accept: JSON_TYPE };
  const { statusCode, body } = await request(`${url}${path}`, { dispatcher, headers });
  if (statusCode !== 200) throw new Error(`the watch was answered ${statusCode}`);
  body.on('error', () => undefined).resume();
}
