/**
 * The settings of `reconcile`: where each service's database is. A role that may read is enough.
 */
import { postgresUrl, readSettingsOrExit, type Setting } from '../../kit/src/index.ts';
import type { ServiceName } from './books.ts';
import type { Databases } from './rows.ts';

function database(service: ServiceName): Setting<string> {
  const name = `${service.toUpperCase()}_DATABASE_URL`;
  return {
    name,
    description: `The ${service} service's database; a role that may read is enough.`,
    secret: true,
    schema: postgresUrl,
  };
}

function optional(service: ServiceName) {
  const description = `The ${service} service's database; without it, what ${service} says is not compared.`;
  return { ...database(service), description, optional: true } as const;
}

export const reconcileSettings = {
  order: database('order'),
  inventory: database('inventory'),
  payment: optional('payment'),
  dispatch: optional('dispatch'),
  wms: optional('wms'),
  member: optional('member'),
  notification: optional('notification'),
};

/** Exits with code 2, naming every bad setting. */
export function readDatabases(environment: NodeJS.ProcessEnv = process.env): Databases {
  const { order, inventory, ...others } = readSettingsOrExit(reconcileSettings, environment);
  const there = Object.entries(others).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...Object.fromEntries(there), order, inventory };
}
