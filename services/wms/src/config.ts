/**
 * The warehouse service's settings: the only place here that knows the environment's names.
 */
import {
  checkFollowerSettings,
  followerSettings,
  readSettingsOrExit,
  serviceSettings,
  type ValuesOf,
} from '../../kit/src/index.ts';

export const wmsSettings = { ...serviceSettings, ...followerSettings } as const;

export type WmsConfig = ValuesOf<typeof wmsSettings>;

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): WmsConfig {
  return readSettingsOrExit(wmsSettings, environment, checkFollowerSettings);
}
