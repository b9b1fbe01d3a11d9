/**
 * The running inventory service: routes, branches and what has to be closed again.
 */
import {
  createApp,
  createLog,
  createPool,
  listen,
  migrate,
  mountParticipant,
  startFenceCleaning,
  tokenSettings,
  type App,
  type AnyBranch,
} from '../../kit/src/index.ts';
import manifest from '../../../package.json' with { type: 'json' };
import { createOrderBranch } from './branches/create-order.ts';
import type { InventoryConfig } from './config.ts';
import { stockRoutes } from './http/stock-routes.ts';

export const branches: readonly AnyBranch[] = [createOrderBranch];

export interface InventoryService {
  readonly app: App;
  readonly url: string;
  /** In the order in which they are to be closed. */
  readonly closers: readonly (() => Promise<void>)[];
}

export async function startInventory(config: InventoryConfig): Promise<InventoryService> {
  const log = createLog({ name: 'inventory', level: config.logLevel });
  await migrate({ connectionString: config.databaseUrl, folder: new URL('../migrations/', import.meta.url), log });
  const pool = createPool({ connectionString: config.databaseUrl, applicationName: 'inventory', log });
  const app = createApp({ name: 'inventory', version: manifest.version, log, pool });
  app.add(...stockRoutes(pool));
  mountParticipant(app, { pool, branches, namespaces: config.namespaces, tokens: tokenSettings(config) });
  const cleaning = startFenceCleaning({ pool, retentionDays: config.retentionDays, log });
  const server = await listen(app, { port: config.port });
  return {
    app,
    url: server.url,
    closers: [() => server.close(), () => cleaning.close(), () => pool.end()],
  };
}
