/**
 * The inventory service's settings: the only place here that knows the environment's names.
 */
import {
  checkParticipantSettings,
  participantSettings,
  readSettingsOrExit,
  serviceSettings,
  type ValuesOf,
} from '../../kit/src/index.ts';

export const inventorySettings = { ...serviceSettings, ...participantSettings } as const;

export type InventoryConfig = ValuesOf<typeof inventorySettings>;

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): InventoryConfig {
  return readSettingsOrExit(inventorySettings, environment, checkParticipantSettings);
}
