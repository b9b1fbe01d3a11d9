/**
 * Stores every object of a CRD anew, so that the version it was stored in can go: what `kubectl ordertx migrate` rests on.
 *
 *  M1  An update that changes nothing is written all the same where the object is stored in another version than the storage version:
 *      so an empty patch moves one object, conflicts with nobody and does nothing to one that has moved already.
 *  M2  Who owns which field is kept: managed fields of an older version are rewritten to the storage version, under which an API server
 *      that does not know the older one any more would drop them. That takes the copy's resourceVersion, and is tried anew after a conflict.
 *  M3  `storedVersions` is pruned last, and only when every object that was there has moved and the CRD's spec is still the one that was
 *      read first: what is created meanwhile was stored in that version, unless another one was it for a while. Ended in between, all of
 *      it can be done again.
 *  M4  Versions must be converted by nothing but their name (conversion None): fields mean the same in each.
 */
import type { ApiAnswer, ApiRequest } from '../src/kubernetes/transport.ts';

/** What it needs of the API server. */
export interface MigrationApi {
  ask<T>(request: ApiRequest): Promise<ApiAnswer<T>>;
}

export interface MigrationOptions {
  /** How many objects are stored at once; more makes status writes wait. */
  readonly concurrency?: number;
  /** Called now and then: how many of those listed are done. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface Failure {
  /** `<namespace>/<name>`. */
  readonly object: string;
  readonly why: string;
}

export type Migration =
  | {
      readonly kind: 'migrated';
      readonly storageVersion: string;
      readonly objects: number;
      /** How many had managed fields of another version. */
      readonly managedFieldsRewritten: number;
      /** The versions that nothing is stored in any more, taken off `storedVersions`. */
      readonly pruned: readonly string[];
    }
  /** Not all have moved: `storedVersions` is as it was. */
  | {
      readonly kind: 'incomplete';
      readonly storageVersion: string;
      readonly objects: number;
      readonly failed: readonly Failure[];
    }
  | { readonly kind: 'refused'; readonly why: string };

interface Crd {
  readonly metadata: { readonly resourceVersion: string; readonly uid: string; readonly generation: number };
  readonly spec: {
    readonly group: string;
    readonly names: { readonly plural: string };
    readonly conversion?: { readonly strategy?: string };
    readonly versions: readonly { readonly name: string; readonly served: boolean; readonly storage: boolean }[];
  };
  readonly status?: { readonly storedVersions?: readonly string[] };
}

interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly apiVersion?: string;
  readonly fieldsV1?: Fields;
}
/** `.` and `f:<name>` as fieldsV1 has them. */
interface Fields {
  readonly [field: string]: Fields;
}

interface Listed {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly isOwnedInAnother: boolean;
}

interface StoredMeta {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion: string;
    readonly managedFields?: readonly ManagedFieldsEntry[];
  };
}

const CRDS_PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const CHUNK_ITEMS = 500;
const CONCURRENCY_DEFAULT = 8;
const PROGRESS_EVERY = 500;
/** Of one object whose writers are faster, or that the API server is too busy for. */
const ATTEMPTS_MAX = 6;
/** More say nothing that these do not. */
const FAILURES_MAX = 100;
/** A list is read in seconds, a continue token lives for minutes. */
const LISTS_MAX = 3;

/** @param name of the CRD, such as ordertransactions.ordertx.dev */
export async function migrate(api: MigrationApi, name: string, options: MigrationOptions = {}): Promise<Migration> {
  const crdPath = `${CRDS_PATH}/${encodeURIComponent(name)}`;
  const found = await api.ask<Crd>({ method: 'GET', path: crdPath });
  if (found.kind !== 'ok') return { kind: 'refused', why: `the CRD ${name} cannot be read: ${sentenceOf(found)}` };
  const { spec } = found.body;
  const storage = spec.versions.find((version) => version.storage);
  if (storage?.served !== true) return { kind: 'refused', why: `the storage version of ${name} is not served` };
  if ((spec.conversion?.strategy ?? 'None') !== 'None')
    return {
      kind: 'refused',
      why: `${name} is converted by a webhook: its versions may differ in more than their names`,
    };

  const place: Place = { group: spec.group, version: storage.name, plural: spec.names.plural };
  const listed = await listAll(api, place);
  if (!Array.isArray(listed)) return { kind: 'refused', why: `${name} cannot be listed: ${sentenceOf(listed)}` };
  const moved = await moveAll(api, place, listed, options);
  const told = { storageVersion: storage.name, objects: listed.length };
  if (moved.failed.length > 0) return { kind: 'incomplete', ...told, failed: moved.failed };

  const pruned = await prune(api, crdPath, storage.name, found.body);
  if (typeof pruned === 'string')
    return { kind: 'incomplete', ...told, failed: [{ object: name, why: `storedVersions: ${pruned}` }] };
  return { kind: 'migrated', ...told, managedFieldsRewritten: moved.rewritten, pruned };
}

interface Place {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

type List = { readonly metadata: { readonly continue?: string }; readonly items: readonly StoredMeta[] };

async function listAll(api: MigrationApi, place: Place): Promise<Listed[] | Exclude<ApiAnswer<List>, { kind: 'ok' }>> {
  let listed: Listed[] = [];
  let next: string | undefined;
  for (let lists = 1; ;) {
    const query = { limit: String(CHUNK_ITEMS), ...(next !== undefined && { continue: next }) };
    const path = `/apis/${place.group}/${place.version}/${place.plural}`;
    const answer = await api.ask<List>({ method: 'GET', path, query });
    if (answer.kind === 'error' && answer.error.status === 410 && lists < LISTS_MAX) {
      lists += 1;
      [listed, next] = [[], undefined];
      continue;
    }
    if (answer.kind !== 'ok') return answer;
    for (const { metadata } of answer.body.items) {
      const { namespace, name, managedFields = [] } = metadata;
      listed.push({ namespace, name, isOwnedInAnother: managedFields.some((entry) => isOfAnother(entry, place)) });
    }
    next = answer.body.metadata.continue || undefined;
    if (next === undefined) return listed;
  }
}

async function moveAll(
  api: MigrationApi,
  place: Place,
  listed: readonly Listed[],
  { concurrency = CONCURRENCY_DEFAULT, onProgress, signal }: MigrationOptions,
): Promise<{ readonly rewritten: number; readonly failed: readonly Failure[] }> {
  const failed: Failure[] = [];
  let [taken, done, rewritten] = [0, 0, 0];
  const lane = async (): Promise<void> => {
    while (taken < listed.length && failed.length < FAILURES_MAX) {
      const each = listed[taken++];
      if (each === undefined) return;
      const end = signal?.aborted === true ? 'stopped before it' : await move(api, place, each);
      if (end === 'rewritten') rewritten += 1;
      else if (end !== 'moved') failed.push({ object: `${each.namespace ?? ''}/${each.name}`, why: end });
      done += 1;
      if (done % PROGRESS_EVERY === 0 || done === listed.length) onProgress?.(done, listed.length);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return { rewritten, failed };
}

/** Resolves with `moved`, `rewritten`, or why it could not be. */
async function move(api: MigrationApi, place: Place, listed: Listed): Promise<string> {
  const { group, version, plural } = place;
  const inside = listed.namespace === undefined ? '' : `/namespaces/${encodeURIComponent(listed.namespace)}`;
  const path = `/apis/${group}/${version}${inside}/${plural}/${encodeURIComponent(listed.name)}`;
  let why = '';
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    let metadata = {};
    if (listed.isOwnedInAnother) {
      const found = await api.ask<StoredMeta>({ method: 'GET', path });
      if (isGone(found)) return 'moved';
      if (found.kind !== 'ok') {
        why = sentenceOf(found);
        continue;
      }
      const { resourceVersion, managedFields = [] } = found.body.metadata;
      metadata = { resourceVersion, managedFields: rewrite(managedFields, place) };
    }
    const body = listed.isOwnedInAnother ? { metadata } : {};
    const answer = await api.ask<StoredMeta>({ method: 'PATCH', path, body });
    if (answer.kind === 'ok') return listed.isOwnedInAnother ? 'rewritten' : 'moved';
    // Who is deleted meanwhile needs no moving.
    if (isGone(answer)) return 'moved';
    why = sentenceOf(answer);
    // Refused by rights, rules or guards: it will be so again.
    if (answer.kind === 'error' && [401, 403, 422].includes(answer.error.status)) return why;
  }
  return why;
}

function isOfAnother({ apiVersion }: ManagedFieldsEntry, { group, version }: Place): boolean {
  return apiVersion?.startsWith(`${group}/`) === true && apiVersion !== `${group}/${version}`;
}

/** One entry for each manager, operation and subresource: two that differed in their version alone own what either owned. */
export function rewrite(entries: readonly ManagedFieldsEntry[], place: Place): readonly ManagedFieldsEntry[] {
  const rewritten = new Map<string, ManagedFieldsEntry>();
  for (const entry of entries) {
    const apiVersion = isOfAnother(entry, place) ? `${place.group}/${place.version}` : entry.apiVersion;
    const key = JSON.stringify([entry.manager, entry.operation, entry.subresource, apiVersion]);
    const other = rewritten.get(key);
    const fieldsV1 = other ? union(other.fieldsV1 ?? {}, entry.fieldsV1 ?? {}) : entry.fieldsV1;
    rewritten.set(key, { ...entry, ...(apiVersion && { apiVersion }), ...(fieldsV1 && { fieldsV1 }) });
  }
  return [...rewritten.values()];
}

function union(one: Fields, other: Fields): Fields {
  const both: Record<string, Fields> = { ...one };
  for (const [field, below] of Object.entries(other)) both[field] = union(both[field] ?? {}, below);
  return both;
}

/** Takes off what nothing is stored in any more; or why that was not done. */
async function prune(
  api: MigrationApi,
  crdPath: string,
  storageVersion: string,
  { metadata: read }: Crd,
): Promise<readonly string[] | string> {
  let why = '';
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const found = await api.ask<Crd>({ method: 'GET', path: crdPath });
    if (found.kind !== 'ok') {
      why = sentenceOf(found);
      continue;
    }
    const { metadata, status } = found.body;
    if (metadata.uid !== read.uid || metadata.generation !== read.generation)
      return 'the CRD was changed meanwhile, its storage version perhaps';
    const others = (status?.storedVersions ?? []).filter((version) => version !== storageVersion);
    if (others.length === 0) return [];
    const body = {
      metadata: { resourceVersion: metadata.resourceVersion },
      status: { storedVersions: [storageVersion] },
    };
    const answer = await api.ask({ method: 'PATCH', path: `${crdPath}/status`, body });
    if (answer.kind === 'ok') return others;
    why = sentenceOf(answer);
  }
  return why;
}

function isGone(answer: ApiAnswer<unknown>): boolean {
  return answer.kind === 'error' && answer.error.status === 404;
}

function sentenceOf(answer: Exclude<ApiAnswer<unknown>, { kind: 'ok' }>): string {
  return answer.kind === 'error' ? `${answer.error.message} (${answer.error.status})` : answer.message;
}
