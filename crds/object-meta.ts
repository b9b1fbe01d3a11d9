/**
 * The metadata every stored object has: the part of Kubernetes' ObjectMeta that this repository reads or writes.
 *
 * The generated resource types refer to it, because a CRD's schema says nothing about metadata.
 */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  /** Opaque but for equality; see the Kubernetes API concepts. */
  readonly resourceVersion?: string;
  /** Counts changes of the spec. */
  readonly generation?: number;
  /** RFC 3339, whole seconds. */
  readonly creationTimestamp?: string;
  /** RFC 3339; set while finalizers hold back a deletion. */
  readonly deletionTimestamp?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}
