/**
 * What every object in the API server has, and how two copies of one are compared.
 */
import { isDeepStrictEqual } from 'node:util';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';

export type ObjectMeta = OrderTransaction['metadata'];

export interface StoredObject {
  readonly metadata: ObjectMeta;
}

export interface ObjectList<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[];
}

/** `<namespace>/<name>`. */
export function keyOf(object: StoredObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

export function resourceVersionOf(object: StoredObject): string {
  return object.metadata.resourceVersion ?? '0';
}

/**
 * Whether one resourceVersion is later than another of the same resource.
 *
 * They are decimal numbers of any length, and comparable: Kubernetes promises it since 1.35 (KEP-5504).
 */
export function isNewer(version: string, than: string): boolean {
  return version.length === than.length ? version > than : version.length > than.length;
}

/** Where the objects of one resource are in the API server. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export const TRANSACTIONS: Resource = { group: 'ordertx.dev', version: 'v1alpha1', plural: 'ordertransactions' };
/** Finds the transactions that still need work (needsWork of transaction/phase.ts): a field that is absent equals the empty one. */
export const NEEDS_WORK_SELECTOR = 'status.expires=';
export const FLOWS: Resource = { group: 'ordertx.dev', version: 'v1alpha1', plural: 'transactionflows' };
export const LEASES: Resource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' };
export const EVENTS: Resource = { group: 'events.k8s.io', version: 'v1', plural: 'events' };
export const SERVICE_ACCOUNTS: Resource = { group: '', version: 'v1', plural: 'serviceaccounts' };

/** The path of a namespace's collection, or of one object in it. */
export function pathOf(resource: Resource, namespace: string, name?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const collection = `${root}/namespaces/${encodeURIComponent(namespace)}/${resource.plural}`;
  return name === undefined ? collection : `${collection}/${encodeURIComponent(name)}`;
}

/** Who owns which field is of no use here and often the larger half of the object. The same object, changed. */
export function withoutManagedFields<T extends StoredObject>(object: T): T {
  delete (object.metadata as { managedFields?: unknown }).managedFields;
  return object;
}

/** Whether two copies are one, also by content: a restored store may count to the same number again. */
export function isSame(one: StoredObject, other: StoredObject): boolean {
  return (
    resourceVersionOf(one) === resourceVersionOf(other) &&
    one.metadata.uid === other.metadata.uid &&
    isDeepStrictEqual(withoutType(one), withoutType(other))
  );
}

/** A list's items may come without what a watch's have. */
function withoutType(object: StoredObject): object {
  return { ...object, apiVersion: '', kind: '' };
}
