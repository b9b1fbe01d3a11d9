/**
 * JSON log lines on stdout.
 *
 * A request's identity (its traceparent, and for participant calls transaction, branch and operation) is put on every line written
 * while the request runs, wherever it is written, so that one order's story can be found by one id.
 *
 * No secret gets into a line: errors are described by safe-error.ts wherever they stand in it, and passwords in URLs are taken out of
 * the finished line, its sentence included.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { writeSync } from 'node:fs';
import { pino, type DestinationStream, type Logger } from 'pino';
import { describeErrors, withoutSecrets } from './safe-error.ts';

export type Log = Logger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

type Fields = Readonly<Record<string, unknown>>;
const context = new AsyncLocalStorage<Fields>();

export interface LogOptions {
  readonly name: string;
  readonly level: string;
  /** Default: stdout. */
  readonly destination?: DestinationStream;
}

export function createLog(options: LogOptions): Log {
  return pino(
    {
      name: options.name,
      level: options.level,
      // Level names instead of pino's numbers, ISO times instead of epochs: the lines are read by people as well.
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => describeErrors(fields) as Record<string, unknown>,
      },
      // Pino's own would come after that, and copy every property that an error has.
      serializers: { err: (described: unknown) => described },
      hooks: { streamWrite: withoutSecrets },
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin: () => ({ ...context.getStore() }),
    },
    options.destination ?? pino.destination({ dest: 1, sync: false }),
  );
}

/** Runs `work` so that every line it logs, directly or later on, carries these fields as well. */
export function withLogFields<T>(fields: Fields, work: () => T): T {
  return context.run({ ...context.getStore(), ...fields }, work);
}

/** The traceparent of the request or message that this runs for. */
export function currentTraceparent(): string | undefined {
  const traceparent = context.getStore()?.traceparent;
  return typeof traceparent === 'string' ? traceparent : undefined;
}

/**
 * What nobody caught ends the process, as it does by itself, with a line that holds no secret: Node would print every property of
 * the error. To be called once, where a process starts.
 */
export function endOnUncaught(name: string): void {
  process.on('uncaughtException', (error) => {
    const line = { level: 'fatal', time: new Date().toISOString(), name, err: describeErrors(error) };
    writeSync(
      2,
      `${withoutSecrets(JSON.stringify({ ...line, msg: 'an error that nobody caught ends the process' }))}\n`,
    );
    process.exit(1);
  });
}

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The header's value where it has the form of W3C Trace Context, level 1; anything else is ignored, as that standard asks. */
export function traceparentOf(header: string | undefined): string | undefined {
  return header !== undefined && TRACEPARENT.test(header) ? header : undefined;
}
