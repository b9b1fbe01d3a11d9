/**
 * The release that is installed to try ordertx out: its name, so that accounts are called <name>-controller and so on, and its namespace.
 */
export const TRY_OUT = { release: 'ordertx', namespace: 'shop' } as const;

export type Target = {
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly release: string;
  /** Of the images. */
  readonly tag: string;
  /** The chart's values: the files that helm is given, the later over the earlier. */
  readonly values: readonly string[];
};
