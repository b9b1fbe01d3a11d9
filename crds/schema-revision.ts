/**
 * Which schema a CRD has, and whether whoever stands on it can live with it.
 *
 * Each CRD says so in an annotation, `<revision>-<digest>`: the revision counts changes of the schema, so that of two one is known to be
 * the newer; the digest tells two of the same number apart. `npm run generate` keeps both (scripts/schema-revisions.ts).
 */
import { SCHEMA_DIGESTS } from './generated/schema-revisions.ts';

export const SCHEMA_ANNOTATION = 'ordertx.dev/schema';

export interface SchemaRevision {
  /** From 1 on; a newer schema has a higher one. */
  readonly revision: number;
  readonly digest: string;
}

/**
 * What an installed CRD is to whoever needs a revision. A newer one serves the older; without a mark it is from before there were any.
 * `other`: of the same number and not the same, as from two branches of development; nobody can say which fields it has.
 */
export type Fit = 'same' | 'newer' | 'older' | 'unmarked' | 'other';

/** By the CRD's name: what this version was written for. */
export const NEEDED_SCHEMAS: ReadonlyMap<string, SchemaRevision> = new Map(
  Object.entries(SCHEMA_DIGESTS).map(([crd, digests]) => [crd, latestOf(digests)]),
);

/** @param digests of revision 1 and on */
export function latestOf(digests: readonly string[]): SchemaRevision {
  return { revision: digests.length, digest: digests.at(-1) ?? '' };
}

export function renderRevision({ revision, digest }: SchemaRevision): string {
  return `${revision}-${digest}`;
}

export function parseRevision(text: string | undefined): SchemaRevision | undefined {
  const [, revision, digest = ''] = /^(\d{1,9})-([0-9a-f]{1,64})$/.exec(text ?? '') ?? [];
  return revision === undefined ? undefined : { revision: Number(revision), digest };
}

/** @param mark the installed CRD's annotation */
export function fitOf(mark: string | undefined, needed: SchemaRevision): Fit {
  const installed = parseRevision(mark);
  if (installed === undefined) return 'unmarked';
  if (installed.revision !== needed.revision) return installed.revision > needed.revision ? 'newer' : 'older';
  return installed.digest === needed.digest ? 'same' : 'other';
}
