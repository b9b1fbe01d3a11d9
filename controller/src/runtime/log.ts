/**
 * What code that logs needs of a logger; pino's satisfies it.
 */

type Write = (fields: Readonly<Record<string, unknown>>, sentence: string) => void;

export interface Log {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
}

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
