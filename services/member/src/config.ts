/**
 * The member service's settings: the only place here that knows the environment's names.
 */
import {
  checkFollowerSettings,
  followerSettings,
  readSettingsOrExit,
  serviceSettings,
  type ValuesOf,
} from '../../kit/src/index.ts';

export const memberSettings = { ...serviceSettings, ...followerSettings } as const;

export type MemberConfig = ValuesOf<typeof memberSettings>;

/** Exits with code 2, naming every bad setting, rather than start half-configured. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): MemberConfig {
  return readSettingsOrExit(memberSettings, environment, checkFollowerSettings);
}
