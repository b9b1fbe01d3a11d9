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

const nowhere: Write = () => undefined;

export const silentLog: Log = { debug: nowhere, info: nowhere, warn: nowhere, error: nowhere };
