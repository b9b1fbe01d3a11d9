/**
 * What a service's commands (`settle`, `outbox`, `migrate`) need: they serve nobody, so they ask for no port and no keys.
 */
import { checkDatabaseSettings, databaseSettings, migrationUrl, servingUrl } from '../database-settings.ts';
import { readSettingsOrExit, type SettingProblem, type ValuesOf } from '../settings.ts';
import { serviceSettings } from '../service-settings.ts';

const { databaseUrl } = databaseSettings;
const { logLevel, migrationLockTimeoutMs } = serviceSettings;
const commandSettings = { ...databaseSettings, logLevel };

export interface CommandConfig {
  /** Of the role that serves. */
  readonly databaseUrl: string;
  readonly logLevel: ValuesOf<typeof commandSettings>['logLevel'];
}

export function readCommandConfig(environment: NodeJS.ProcessEnv = process.env): CommandConfig {
  const values = readSettingsOrExit(commandSettings, environment, checkDatabaseSettings);
  return { databaseUrl: servingUrl(values), logLevel: values.logLevel };
}

/** Either URL is enough: whoever changes the schema need not be able to serve. */
const migrateSettings = {
  ...{ ...databaseSettings, databaseUrl: { ...databaseUrl, optional: true } },
  ...{ logLevel, migrationLockTimeoutMs },
} as const;

export interface MigrateConfig {
  /** Of the role that may change the schema. */
  readonly databaseUrl: string;
  readonly lockTimeoutMs: number;
  readonly logLevel: CommandConfig['logLevel'];
}

export function readMigrateConfig(environment: NodeJS.ProcessEnv = process.env): MigrateConfig {
  const values = readSettingsOrExit(migrateSettings, environment, checkMigrateSettings);
  const url = migrationUrl({ ...values, databaseUrl: values.databaseUrl ?? '' });
  return { databaseUrl: url, lockTimeoutMs: values.migrationLockTimeoutMs, logLevel: values.logLevel };
}

/** Gets only what could be read. */
function checkMigrateSettings(values: Partial<ValuesOf<typeof migrateSettings>>): readonly SettingProblem[] {
  const { databaseUrl: serving, databaseMigrationUrl: owning, ...others } = values;
  const problems = checkDatabaseSettings({
    ...others,
    ...(serving !== undefined && { databaseUrl: serving }),
    ...(owning !== undefined && { databaseMigrationUrl: owning }),
  });
  if (serving !== undefined || owning !== undefined) return problems;
  if (!('databaseUrl' in values) || !('databaseMigrationUrl' in values)) return problems;
  const message = `is not set, nor is ${databaseUrl.name}: one of them says whose schema is changed`;
  return [{ name: databaseSettings.databaseMigrationUrl.name, message }, ...problems];
}
