/**
 * A running service, put together: database, routes, participant branches, consumer, outbox relay, cleaning; and closed again in
 * an order in which nobody is missed.
 *
 * A service brings what is its own; what every service does in the same way is done here once.
 */
import { hostname } from 'node:os';
import type { Pool } from 'pg';
import manifest from '../../../package.json' with { type: 'json' };
import { startTracing } from '../../tracing/src/start.ts';
import type { TokenSettings } from './auth/tokens.ts';
import { createApp, type App } from './http/app.ts';
import { listen } from './http/listen.ts';
import { registerClockSkew } from './http/metrics.ts';
import type { Route } from './http/route.ts';
import { createLog, type Log } from './log.ts';
import { inboxCleanings } from './messages/cleaning.ts';
import { Consumer } from './messages/consumer.ts';
import type { AnyHandler } from './messages/handler.ts';
import { OutboxRelay } from './messages/relay.ts';
import type { AnyBranch } from './participant/branch.ts';
import { fenceCleaning } from './participant/cleaning.ts';
import { fenceGauges } from './participant/metrics.ts';
import { mountParticipant } from './participant/routes.ts';
import { startCleaning, type Cleaning } from './postgres/cleaning.ts';
import { migrate } from './postgres/migrate.ts';
import { createPools } from './postgres/pools.ts';
import { migrationUrl, servingUrl } from './database-settings.ts';
import type { ServiceValues } from './service-settings.ts';

export interface ServiceOptions {
  /** Its name is also that of its stream. */
  readonly name: string;
  readonly config: ServiceValues;
  /** The service's own: `new URL('../migrations/', import.meta.url)`. */
  readonly migrations: URL;
  /** Of a service that hears messages, or starts some: see redisUrlOf. */
  readonly redisUrl?: string;
  /** Whether it starts messages itself. */
  readonly sendsMessages?: boolean;
  /** What is the service's own, on a database whose schema is current. */
  build(base: ServiceBase): ServiceParts | Promise<ServiceParts>;
}

/** What every service stands on. */
export interface ServiceBase {
  readonly app: App;
  /** For what goes on in the background, and in consumers. */
  readonly pool: Pool;
  /** For routes. */
  readonly publicPool: Pool;
  readonly log: Log;
  /** To be nudged after a commit that has written a message; does nothing in a service that sends none. */
  readonly outbox: Pick<OutboxRelay, 'nudge'>;
}

export interface ServiceParts {
  readonly routes: readonly Route[];
  /** Of a participant: its branches, and who may call them. */
  readonly participant?: { readonly branches: readonly AnyBranch[]; readonly tokens: TokenSettings };
  readonly handlers?: readonly AnyHandler[];
  readonly cleanings?: readonly Cleaning[];
  /** Closed one after the other once no request and no message is under way, and before the database. */
  readonly closers?: readonly (() => Promise<void>)[];
}

export interface RunningService {
  readonly app: App;
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Of operators' and the controller's routes; the same without ADMIN_PORT. */
  readonly adminUrl: string;
  /** In the order in which they are to be closed. */
  readonly closers: readonly (() => Promise<void>)[];
}

/** Resolves once it listens. Rejects when the database cannot be reached or the port is taken. */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { name, config, migrations: folder, redisUrl } = options;
  const log = createLog({ name, level: config.logLevel });
  const replica = replicaName(name);
  const tracing = await startTracing(config, { service: name, version: manifest.version, instance: replica, log });
  const { migrationLockTimeoutMs: lockTimeoutMs } = config;
  await migrate({ connectionString: migrationUrl(config), folder, log, lockTimeoutMs });
  const pools = await createPools({
    ...{ connectionString: servingUrl(config), applicationName: name, sizes: config, log },
  });
  const pool = pools.background;
  const app = createApp({
    ...{ name, version: manifest.version, log, pool: pools.readiness, pools: pools.all },
    limits: { requestsMax: config.requestsMax, perSecondMax: config.requestsPerSecondMax },
  });
  const streaming = { service: name, replica, pool, metrics: app.metrics, log };
  const relay =
    options.sendsMessages === true ? new OutboxRelay({ ...streaming, redisUrl: needed(redisUrl, name) }) : undefined;

  const outbox = relay ?? { nudge: () => undefined };
  const {
    routes,
    participant,
    handlers = [],
    cleanings = [],
    closers = [],
  } = await options.build({
    ...{ app, pool, publicPool: pools.public, log, outbox },
  });
  app.add(...routes);
  registerClockSkew(app.metrics, pool, log);
  if (participant !== undefined) {
    mountParticipant(app, { pool: pools.calls, namespaces: config.namespaces, ...participant });
    fenceGauges(app.metrics, pool, log);
  }
  const consumer =
    handlers.length > 0
      ? new Consumer({ ...streaming, redisUrl: needed(redisUrl, name), handlers, namespaces: config.namespaces })
      : undefined;
  const rows = [fenceCleaning(config.retentionDays), ...inboxCleanings(config.retentionDays), ...cleanings];
  const cleaning = startCleaning(pool, rows, log);
  const server = await listen(app, config);
  return {
    app,
    url: server.url,
    adminUrl: server.adminUrl,
    closers: [
      () => server.close(),
      async () => consumer?.close(),
      ...closers,
      async () => relay?.close(),
      () => cleaning.close(),
      () => pools.end(),
      () => tracing.close(),
    ],
  };
}

function needed(redisUrl: string | undefined, service: string): string {
  if (redisUrl === undefined) throw new Error(`${service} works with messages, so it needs redisUrl`);
  return redisUrl;
}

/** Unique among all senders and consumers, and fit for a stream's name. */
function replicaName(service: string): string {
  const host = hostname()
    .replaceAll(/[^-A-Za-z0-9_.]/g, '-')
    .slice(0, 80);
  return `${service}-${host}-${process.pid}-${Date.now().toString(36)}`;
}
