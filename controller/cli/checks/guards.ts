/**
 * The admission policies that come with the CRDs (crds/*.yaml). tests/cli/guards.test.ts holds this list to them.
 */
export interface Guard {
  readonly name: string;
  /** It only warns: nothing depends on it. */
  readonly isOptional: boolean;
}

export const GUARDS: readonly Guard[] = [
  { name: 'ordertransactions-acts', isOptional: false },
  { name: 'ordertransactions-delete-guard', isOptional: false },
  { name: 'ordertransactions-late-warning', isOptional: true },
  { name: 'ordertransactions-return-warning', isOptional: true },
  { name: 'ordertransactions-payload-guard', isOptional: false },
  { name: 'ordertx-crd-guard', isOptional: false },
];
