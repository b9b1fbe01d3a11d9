/**
 * The inventory service's settings: the only place here that knows the environment's names.
 */
import { checkServiceSettings, readSettingsOrExit, serviceSettings, type ValuesOf } from '../../kit/src/index.ts';

export type InventoryConfig = ValuesOf<typeof serviceSettings>;

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): InventoryConfig {
  return readSettingsOrExit(serviceSettings, environment, checkServiceSettings);
}

/** What `settle` needs: it serves nobody, so it asks for no port and no keys. */
const settleSettings = { databaseUrl: serviceSettings.databaseUrl, logLevel: serviceSettings.logLevel };

export function readSettleConfig(environment: NodeJS.ProcessEnv = process.env): ValuesOf<typeof settleSettings> {
  return readSettingsOrExit(settleSettings, environment);
}
