/**
 * The running inventory service.
 */
import { startService, tokenSettings, type AnyBranch, type RunningService } from '../../kit/src/index.ts';
import { closeOrderBranch } from './branches/close-order.ts';
import { createOrderBranch } from './branches/create-order.ts';
import { payOrderBranch } from './branches/pay-order.ts';
import type { InventoryConfig } from './config.ts';
import { adjustmentCleaning } from './adjustments.ts';
import { stockRoutes } from './http/stock-routes.ts';

export const branches: readonly AnyBranch[] = [createOrderBranch, payOrderBranch, closeOrderBranch];

export const migrations = new URL('../migrations/', import.meta.url);

export async function startInventory(config: InventoryConfig): Promise<RunningService> {
  return startService({
    name: 'inventory',
    config,
    migrations,
    build: ({ publicPool }) => ({
      routes: stockRoutes(publicPool),
      participant: { branches, tokens: tokenSettings(config) },
      cleanings: [adjustmentCleaning(config.retentionDays)],
    }),
  });
}
