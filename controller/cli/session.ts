/**
 * What a verb runs with. main.ts builds it; verbs take it as an argument and build nothing.
 */
import type { Api, Selectors } from './api.ts';
import type { ArchiveReader } from './archive-reader.ts';
import type { ControllerPorts } from './controller-ports.ts';
import type { Format, Rendered } from './output/format.ts';
import type { Terminal } from './terminal.ts';

export interface Session {
  readonly api: Api;
  /** Where to look; undefined: in all namespaces. */
  readonly namespace: string | undefined;
  /** -l and --field-selector as they were given. */
  readonly selectors: Selectors;
  readonly format: Format;
  readonly isWithHeads: boolean;
  readonly terminal: Terminal;
  readonly archive: ArchiveReader;
  readonly controllers: ControllerPorts;
  /** By the API server's clock, once it has answered anything. */
  readonly now: () => number;
  /** Aborts on Ctrl-C. */
  readonly stopping: AbortSignal;
  readonly render: (rendered: Rendered) => Promise<void>;
}

/** Both, where both are given. */
export function joined(...selectors: readonly (string | undefined)[]): string | undefined {
  return selectors.filter(Boolean).join(',') || undefined;
}

/** A value in a field selector: `,`, `=` and `\` end or change it unless escaped. */
export function selectorValue(value: string): string {
  return value.replaceAll(/[\\,=]/g, (character) => `\\${character}`);
}
