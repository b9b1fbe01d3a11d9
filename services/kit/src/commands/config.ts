/**
 * What a service's commands (`settle`, `outbox`) need: they serve nobody, so they ask for no port and no keys.
 */
import { readSettingsOrExit, type ValuesOf } from '../settings.ts';
import { serviceSettings } from '../service-settings.ts';

const commandSettings = { databaseUrl: serviceSettings.databaseUrl, logLevel: serviceSettings.logLevel };

export function readCommandConfig(environment: NodeJS.ProcessEnv = process.env): ValuesOf<typeof commandSettings> {
  return readSettingsOrExit(commandSettings, environment);
}
