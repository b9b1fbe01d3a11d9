/**
 * What a process that traces says of itself, and what it has to close.
 */

export interface TracingIdentity {
  /** Where OTEL_SERVICE_NAME does not say another. */
  readonly service: string;
  readonly version: string;
  /** The replica. */
  readonly instance: string;
  readonly log: TracingLog;
}

export interface TracingLog {
  readonly info: (fields: Readonly<Record<string, unknown>>, sentence: string) => void;
  readonly warn: (fields: Readonly<Record<string, unknown>>, sentence: string) => void;
}

export interface Tracing {
  /** Sends what is left; resolves within CLOSE_MS also where the collector is away. Never rejects. */
  close(): Promise<void>;
}
