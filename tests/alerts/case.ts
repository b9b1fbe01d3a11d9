/**
 * What an alert is tried with: input series in promtool's notation, a sample every 30 s.
 */
export interface Case {
  readonly alert: string;
  readonly fires: Given & {
    /** Besides alertname and severity. */
    readonly labels: Readonly<Record<string, string>>;
    readonly summary: string;
    readonly command?: string;
  };
  readonly quiet: readonly (Given & { readonly why: string })[];
}

interface Given {
  /** Values by series: `start+stepxtimes`. */
  readonly series: Readonly<Record<string, string>>;
  /** When it is looked at: `10m`. */
  readonly at: string;
}

/** A gauge that stays so for two hours. */
export const stays = (value: number): string => `${value}+0x240`;
/** A counter that grows by so much every 30 s, for seven hours. */
export const grows = (by: number): string => `0+${by}x840`;
