/**
 * A service in the test's own process, on a fresh database and a free port, with callers unchecked.
 */
import pg from 'pg';
import { startInventory } from '../../services/inventory/src/service.ts';
import { startOrder } from '../../services/order/src/service.ts';
import { freshDatabase, freshRedis } from '../world/world.ts';

export interface RunningTestService {
  readonly url: string;
  readonly databaseUrl: string;
  /** The service's database, for looking and for breaking. */
  readonly database: pg.Pool;
  /** Closes the service in good order and keeps its database; further calls do nothing. */
  stop(): Promise<void>;
  /** Stops the service and, if it was made for it, drops the database. */
  close(): Promise<void>;
}

export const TEST_NAMESPACE = 'shop';
/** Served as well; nothing of the orders lies in it. */
export const TWIN_NAMESPACE = 'twin';

/** As many as a service has: some tests deliver much at once. */
const CONNECTIONS_MAX = 10;

/** No collector. */
const UNTRACED = {
  otlpEndpoint: undefined,
  otlpTracesEndpoint: undefined,
  otlpHeaders: undefined,
  otlpProtocol: 'http/json',
  otelDisabled: 'false',
  otelServiceName: undefined,
  otelResourceAttributes: undefined,
  tracesSampler: 'parentbased_always_on',
  tracesSamplerArg: 1,
  spansDelayMs: 5_000,
} as const;

/** What every service is started with here: a free port, and no log. */
export const TEST_SETTINGS = {
  port: 0,
  host: '127.0.0.1',
  adminPort: undefined,
  metricsPort: undefined,
  connectionsMax: 10_000,
  requestsMax: 5_000,
  requestsPerSecondMax: undefined,
  poolPublic: 10,
  poolCalls: 10,
  poolBackground: 10,
  migrationLockTimeoutMs: 500,
  databaseMigrationUrl: undefined,
  databaseCaFile: undefined,
  redisCaFile: undefined,
  redisCertFile: undefined,
  redisKeyFile: undefined,
  namespaces: [TEST_NAMESPACE, TWIN_NAMESPACE],
  retentionDays: 30,
  logLevel: 'silent',
  ...UNTRACED,
} as const;

/** What a participant is started with besides: whoever calls it is believed. */
const UNCHECKED = {
  ...TEST_SETTINGS,
  auth: 'off',
  audience: undefined,
  tokenIssuer: undefined,
  jwksFile: undefined,
  jwksUrl: undefined,
  controllerSubject: undefined,
} as const;

export async function runInventory(): Promise<RunningTestService> {
  const { url: databaseUrl, drop } = await freshDatabase('inventory');
  const service = await startInventory({ ...UNCHECKED, databaseUrl });
  return running(service, databaseUrl, drop);
}

export interface OrderOptions {
  readonly kubeconfig: string;
  readonly namespace?: string;
  /** Another replica's database; default: a fresh one. */
  readonly databaseUrl?: string;
  /** Default: one of its own. */
  readonly redisUrl?: string;
  /** Default: 30 minutes. */
  readonly paymentTimeoutSeconds?: number;
  /** Default: 5,000. */
  readonly backlogMax?: number;
  /** Default: whoever calls says what things cost. */
  readonly quoteSecrets?: readonly string[];
  /** Default: nobody is there. */
  readonly paymentUrl?: string;
  /** Default: none. */
  readonly paymentGraceSeconds?: number;
}

export async function runOrder(options: OrderOptions): Promise<RunningTestService> {
  const { kubeconfig, namespace = TEST_NAMESPACE } = options;
  const { url: databaseUrl, drop } =
    options.databaseUrl === undefined
      ? await freshDatabase('order')
      : { url: options.databaseUrl, drop: async () => undefined };
  const service = await startOrder({
    ...UNCHECKED,
    namespaces: [namespace, TWIN_NAMESPACE],
    databaseUrl,
    kubeconfig,
    namespace,
    kubernetesServiceHost: undefined,
    redisUrl: options.redisUrl ?? (await freshRedis()),
    paymentTimeoutSeconds: options.paymentTimeoutSeconds ?? 1_800,
    paymentUrl: options.paymentUrl ?? 'http://127.0.0.1:1',
    paymentGraceSeconds: options.paymentGraceSeconds ?? 0,
    creationsKeptDays: 7,
    backlogMax: options.backlogMax ?? 5_000,
    ...{ quoteSecret: options.quoteSecrets, quoteSeconds: 900, prices: 'trusted' },
  });
  return running(service, databaseUrl, drop);
}

/** A service whose start has just resolved. */
interface Started {
  readonly url: string;
  readonly closers: readonly (() => Promise<void>)[];
}

export function running({ url, closers }: Started, databaseUrl: string, drop: () => Promise<void>): RunningTestService {
  const database = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS_MAX });
  // The query that fails says it; and `end` does not wait for connections to be closed, so `drop` may still end one.
  database.on('error', () => undefined);
  let stopping: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    for (const closer of closers) await closer();
  }
  const stop = (): Promise<void> => (stopping ??= closeAll());
  return {
    ...{ url, databaseUrl, database, stop },
    async close() {
      await stop();
      await database.end();
      await drop();
    },
  };
}
