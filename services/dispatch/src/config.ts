/**
 * The dispatch service's settings: the only place here that knows the environment's names.
 */
import {
  checkFollowerSettings,
  followerSettings,
  readSettingsOrExit,
  serviceSettings,
  type ValuesOf,
} from '../../kit/src/index.ts';

export const dispatchSettings = { ...serviceSettings, ...followerSettings } as const;

export type DispatchConfig = ValuesOf<typeof dispatchSettings>;

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): DispatchConfig {
  return readSettingsOrExit(dispatchSettings, environment, checkFollowerSettings);
}
