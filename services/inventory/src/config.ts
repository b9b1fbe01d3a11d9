/**
 * The inventory service's settings: the only place here that knows the environment's names.
 */
import {
  checkParticipantSettings,
  checkServiceSettings,
  participantSettings,
  readSettingsOrExit,
  serviceSettings,
  type SettingProblem,
  type ValuesOf,
} from '../../kit/src/index.ts';

export const inventorySettings = { ...serviceSettings, ...participantSettings } as const;

export type InventoryConfig = ValuesOf<typeof inventorySettings>;

export function checkInventorySettings(values: Partial<InventoryConfig>): readonly SettingProblem[] {
  return [...checkServiceSettings(values), ...checkParticipantSettings(values)];
}

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): InventoryConfig {
  return readSettingsOrExit(inventorySettings, environment, checkInventorySettings);
}
