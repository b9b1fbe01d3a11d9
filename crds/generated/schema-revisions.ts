/**
 * Generated from crds/*.yaml by `npm run generate`, which adds to what stands here; do not edit.
 *
 * Digests of each CRD's schema: that of revision 1 first, the present one last.
 */
// prettier-ignore
export const SCHEMA_DIGESTS: Readonly<Record<string, readonly string[]>> = {
  'ordertransactions.ordertx.dev': [
    '1d633dbfa93a3d96',
  ],
  'transactionflows.ordertx.dev': [
    'c5d75d026c7803d2',
  ],
};
