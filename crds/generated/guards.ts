/**
 * Generated from crds/*.yaml by `npm run generate`; do not edit.
 */
export interface Guard {
  readonly name: string;
  /** Of its policy. An API server before 1.36 does not serve those that mutate, and works without them. */
  readonly kind: 'validating' | 'mutating';
  /** It only warns, or saves somebody something: nothing depends on it. */
  readonly isOptional: boolean;
  readonly digest: string;
}

export const GUARDS: readonly Guard[] = [
  { name: 'ordertransactions-acts-by', kind: 'mutating', isOptional: true, digest: '80a0ee3a2d240c20' },
  { name: 'ordertransactions-acts', kind: 'validating', isOptional: false, digest: '9dc03cc1d84102ef' },
  { name: 'ordertransactions-late-warning', kind: 'validating', isOptional: true, digest: '66bd32c4442ac156' },
  { name: 'ordertransactions-delete-guard', kind: 'validating', isOptional: false, digest: '081b1da44ec8694d' },
  { name: 'ordertransactions-return-warning', kind: 'validating', isOptional: true, digest: '3cc79e6ebd7141dc' },
  { name: 'ordertransactions-payload-guard', kind: 'validating', isOptional: false, digest: '0a8f564228be32ef' },
  { name: 'ordertx-crd-guard', kind: 'validating', isOptional: false, digest: '69dfb4c867098e0a' },
  { name: 'ordertransactions-managed-fields', kind: 'mutating', isOptional: true, digest: '599c1da24e01fe4c' },
];
