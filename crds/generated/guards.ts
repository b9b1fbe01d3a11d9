/**
 * Generated from crds/*.yaml by `npm run generate`; do not edit.
 */
export interface Guard {
  readonly name: string;
  /** It only warns: nothing depends on it. */
  readonly isOptional: boolean;
  readonly digest: string;
}

export const GUARDS: readonly Guard[] = [
  { name: 'ordertransactions-acts', isOptional: false, digest: '9dc03cc1d84102ef' },
  { name: 'ordertransactions-late-warning', isOptional: true, digest: '66bd32c4442ac156' },
  { name: 'ordertransactions-delete-guard', isOptional: false, digest: '081b1da44ec8694d' },
  { name: 'ordertransactions-return-warning', isOptional: true, digest: '3cc79e6ebd7141dc' },
  { name: 'ordertransactions-payload-guard', isOptional: false, digest: '0a8f564228be32ef' },
  { name: 'ordertx-crd-guard', isOptional: false, digest: '77bab80ec1f66830' },
];
