/**
 * What one look of `check` has found.
 */
export interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'wrong' | 'warning' | 'unknown';
  readonly sentence: string;
}
