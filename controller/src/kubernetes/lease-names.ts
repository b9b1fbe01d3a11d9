/**
 * How the Leases of an installation's shards are named and marked: `<prefix>-shard-<i>-of-<n>`, with the prefix as a label.
 *
 * The prefix is the installation's name, so two of them in one namespace have nothing in common (docs/adr/0054). Other software's
 * Leases may have names that end alike: the label says whose one is.
 */
import type { ObjectMeta } from './stored-object.ts';

/** What the names begin with where nothing else is set, and did before anything could be. */
export const LEASE_PREFIX_DEFAULT = 'ordertx';
/** With `-shard-63-of-64` behind it a name is a DNS label of 63 characters, which a label's value may have, too. */
export const LEASE_PREFIX_MAX = 48;

const INSTALLATION = 'ordertx.dev/installation';

/** The longest prefix counts, so a prefix that looks like a Lease's name itself is no other's. */
const SHARD_LEASE = /^(.+)-shard-\d+(?:-of-(\d+))?$/;

export interface ShardLease {
  readonly prefix: string;
  /** Undefined where the name does not say it: then it is of a version that did not write it. */
  readonly shards: string | undefined;
}

export function leaseName(prefix: string, shard: number, shards: number): string {
  return `${prefix}-shard-${shard}-of-${shards}`;
}

/** What a name says, whoever's it is; undefined where it is none of a shard. */
export function readLeaseName(name: string): ShardLease | undefined {
  const match = SHARD_LEASE.exec(name);
  return match === null ? undefined : { prefix: match[1] ?? '', shards: match[2] };
}

export function installationLabels(prefix: string): Readonly<Record<string, string>> {
  return { [INSTALLATION]: prefix };
}

/**
 * Whose Lease it is, or undefined where it is other software's. One that carries no mark is ours by the only prefix there was before
 * there were marks.
 */
export function installationOf({ name, labels }: ObjectMeta): { prefix: string; isMarked: boolean } | undefined {
  const prefix = readLeaseName(name)?.prefix;
  if (prefix === undefined) return undefined;
  const mark = labels?.[INSTALLATION];
  if (mark === undefined) return prefix === LEASE_PREFIX_DEFAULT ? { prefix, isMarked: false } : undefined;
  return mark === prefix ? { prefix, isMarked: true } : undefined;
}
