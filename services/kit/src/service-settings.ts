/**
 * The settings that every service has, that every participant has, and that everyone has who works with messages.
 *
 * A service spreads those that fit into its own: `readSettingsOrExit({ ...serviceSettings, ...messageSettings, mine: {...} })`.
 */
import { z } from 'zod';
import { tracingSettings } from '../../tracing/src/settings.ts';
import type { TokenSettings } from './auth/tokens.ts';
import { LOG_LEVELS } from './log.ts';
import { RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MIN } from './participant/cleaning.ts';
import { MIGRATION_LOCK_TIMEOUT_MS } from './postgres/migrate.ts';
import type { Setting, SettingProblem, ValuesOf } from './settings.ts';
import { checkDatabaseSettings, databaseSettings } from './database-settings.ts';
import { redisUrl } from './server-url.ts';
import { checkRedisTls, redisTlsSettings } from './tls-settings.ts';

/** A whole number between two limits, both allowed. */
export function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^-?\d{1,15}$/, message)
    .transform(Number)
    .refine((number) => number >= min && number <= max, message);
}

/** Entries separated by commas; spaces around them and empty entries do not count. */
export function commaList(entry: z.ZodType<string, string>) {
  return z
    .string()
    .transform((text): readonly string[] =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
    .pipe(z.array(entry).min(1, 'must name at least one entry').readonly());
}

/** Paths are put behind it, so it has no slash at its end and nothing that would come after a path. */
export const baseUrl = z
  .string()
  .refine(isBaseUrl, 'must be an http or https URL without user, ? and #')
  .transform((text) => text.replace(/\/+$/, ''));

function isBaseUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && !/[?#\s]/.test(text);
}

const namespaceName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be namespace names (lower-case letters, digits, hyphens), separated by commas',
  );
const httpUrl = z.url({ protocol: /^https?$/, message: 'must be an http or https URL' });
const RETENTION_DAYS_MAX = 3_650;

export const serviceSettings = {
  port: { name: 'PORT', description: 'The port to listen on.', default: '8080', schema: wholeNumber(1, 65_535) },
  host: {
    name: 'HOST',
    description: 'The address to listen on; without it, every one that there is, as a pod needs it.',
    optional: true,
    schema: z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' }),
  },
  adminPort: {
    name: 'ADMIN_PORT',
    description:
      "Where operators' and the controller's routes (/tcc, /metrics, stock, shipping) are served, and only there; without it, at PORT like everything else.",
    optional: true,
    schema: wholeNumber(1, 65_535),
  },
  metricsPort: {
    name: 'METRICS_PORT',
    description:
      "Where /metrics is served besides, with /healthz and /readyz and no other route, so that who collects figures need not reach operators' routes.",
    optional: true,
    schema: wholeNumber(1, 65_535),
  },
  connectionsMax: {
    name: 'HTTP_CONNECTIONS_MAX',
    description: 'Connections that each port holds at most; more are not let in.',
    default: '10000',
    schema: wholeNumber(1, 1_000_000),
  },
  requestsMax: {
    name: 'HTTP_REQUESTS_MAX',
    description:
      'Requests in flight at most, those that wait with `Prefer: wait` included, counted apart for public routes and for all others; more are answered 503 with Retry-After.',
    default: '5000',
    schema: wholeNumber(1, 1_000_000),
  },
  requestsPerSecondMax: {
    name: 'HTTP_REQUESTS_PER_SECOND_MAX',
    description:
      'Requests to public routes per second at most; more are answered 503 with Retry-After. Without it, as many as come.',
    optional: true,
    schema: wholeNumber(1, 1_000_000),
  },
  poolPublic: {
    name: 'DATABASE_POOL_PUBLIC',
    description: "Database connections for public and operators' routes, at most.",
    default: '10',
    schema: wholeNumber(1, 500),
  },
  poolCalls: {
    name: 'DATABASE_POOL_CALLS',
    description: "Database connections for the controller's calls, at most.",
    default: '10',
    schema: wholeNumber(1, 500),
  },
  poolBackground: {
    name: 'DATABASE_POOL_BACKGROUND',
    description: 'Database connections for messages, relays, cleaning and metrics, at most.',
    default: '10',
    schema: wholeNumber(1, 500),
  },
  ...databaseSettings,
  migrationLockTimeoutMs: {
    name: 'DATABASE_MIGRATION_LOCK_TIMEOUT_MS',
    description:
      'How long a change of the schema, made when the service starts, waits for a table that others use, and they behind it. Then it leaves them three times as long before it tries again, 60 times at most.',
    default: String(MIGRATION_LOCK_TIMEOUT_MS),
    schema: wholeNumber(10, 60_000),
  },
  namespaces: {
    name: 'ORDERTX_NAMESPACES',
    description:
      'Namespaces whose transactions this service takes part in, separated by commas; calls for others get 403, messages are refused.',
    schema: commaList(namespaceName),
  },
  retentionDays: {
    name: 'ORDERTX_RETENTION_DAYS',
    description:
      'How long final fence rows are kept after their last change, and inbox rows after their message. A creation may be repeated for 7 days, and made again for as long as ORDER_CREATIONS_KEPT_DAYS of the order service says, so it is more than either.',
    default: String(RETENTION_DAYS_DEFAULT),
    schema: wholeNumber(RETENTION_DAYS_MIN, RETENTION_DAYS_MAX),
  },
  logLevel: {
    name: 'LOG_LEVEL',
    description: `How much is logged: ${LOG_LEVELS.join(', ')}.`,
    default: 'info',
    schema: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`),
  },
  ...tracingSettings,
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

export type ServiceValues = ValuesOf<typeof serviceSettings>;

/** Of every participant: by what it knows that it is the controller who calls. */
export const participantSettings = {
  auth: {
    name: 'ORDERTX_AUTH',
    description:
      'Whether calls to /tcc need the token of the controller. `off` opens them to everyone who can reach the port.',
    default: 'on',
    schema: z.enum(['on', 'off'], 'must be on or off'),
  },
  audience: {
    name: 'ORDERTX_AUDIENCE',
    description:
      'The audience tokens must have: ordertx/<service>.<namespace>, or ordertx/<host>:<port> for a flow that names a url.',
    optional: true,
    schema: z.string().regex(/^ordertx\/\S+$/, 'must be ordertx/<service>.<namespace> or ordertx/<host>:<port>'),
  },
  tokenIssuer: {
    name: 'ORDERTX_TOKEN_ISSUER',
    description: "The issuer tokens must have: the API server's --service-account-issuer.",
    optional: true,
    schema: z.string(),
  },
  jwksFile: {
    name: 'ORDERTX_JWKS_FILE',
    description: 'A file with the key set that tokens are checked against (this or ORDERTX_JWKS_URL).',
    optional: true,
    schema: z.string(),
  },
  jwksUrl: {
    name: 'ORDERTX_JWKS_URL',
    description:
      "Where to fetch that key set: the controllers' /jwks, several separated by commas and asked in turn (this or ORDERTX_JWKS_FILE). A set that was read once counts for a day while it cannot be read again.",
    optional: true,
    schema: commaList(httpUrl),
  },
  controllerSubject: {
    name: 'ORDERTX_CONTROLLER_SUBJECT',
    description:
      "The only subject whose tokens are taken: the controller's service account, system:serviceaccount:<namespace>:<name>.",
    optional: true,
    schema: z
      .string()
      .regex(/^system:serviceaccount:[^:\s]+:[^:\s]+$/, 'must be system:serviceaccount:<namespace>:<name>'),
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

export type ParticipantValues = ValuesOf<typeof participantSettings>;

/** Of every service that hears messages, or starts some. */
export const messageSettings = {
  redisUrl: {
    name: 'REDIS_URL',
    description:
      'The Redis that messages come by: redis://[user:password@]host:port[/database], the same as the controller’s.',
    secret: true,
    schema: redisUrl,
  },
  ...redisTlsSettings,
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

/** Of a service that hears of the shop's orders by transactions' messages. */
export const followerSettings = {
  ...messageSettings,
  shopNamespace: {
    name: 'ORDERTX_NAMESPACE',
    description:
      'Where the order service creates transactions: messages of orders count only from there. Without it, the one namespace that ORDERTX_NAMESPACES names; needed where it names several.',
    optional: true,
    schema: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be the name of a namespace'),
  },
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

type FollowerValues = ServiceValues & ValuesOf<typeof followerSettings>;

/** The shop's own namespace; `checkFollowerSettings` has seen to it that there is one. */
export function shopNamespaceOf({
  shopNamespace,
  namespaces,
}: Pick<FollowerValues, 'shopNamespace' | 'namespaces'>): string {
  const namespace = shopNamespace ?? (namespaces.length === 1 ? namespaces[0] : undefined);
  if (namespace === undefined)
    throw new Error(`${followerSettings.shopNamespace.name} is not set, and no one namespace is served`);
  return namespace;
}

export function checkFollowerSettings(values: Partial<FollowerValues>): readonly SettingProblem[] {
  return [...checkServiceSettings(values), ...checkRedisTls(values), ...checkShopNamespace(values)];
}

/** Gets only what could be read: namespaces that are wrong have been reported already. */
function checkShopNamespace(values: Partial<FollowerValues>): readonly SettingProblem[] {
  const { shopNamespace, namespaces } = values;
  if (namespaces === undefined || !('shopNamespace' in values)) return [];
  const { name } = followerSettings.shopNamespace;
  if (shopNamespace === undefined && namespaces.length > 1) {
    const message = `is not set, and ORDERTX_NAMESPACES names several: whoever may create transactions in any of them could tell of orders first; name the one of the order service`;
    return [{ name, message }];
  }
  if (shopNamespace === undefined || namespaces.includes(shopNamespace)) return [];
  return [
    {
      name: serviceSettings.namespaces.name,
      message: `must name ${shopNamespace} as well: the order service's transactions lie there`,
    },
  ];
}

/** Of every service. How many connections the database takes is known only once it is asked: see postgres/pools.ts. */
export function checkServiceSettings(values: Partial<ServiceValues>): readonly SettingProblem[] {
  return [...checkPorts(values), ...checkDatabaseSettings(values)];
}

function checkPorts(values: Partial<ServiceValues>): readonly SettingProblem[] {
  const ports = (['port', 'adminPort', 'metricsPort'] as const).flatMap((key) => {
    const port = values[key];
    return port === undefined ? [] : [{ name: serviceSettings[key].name, port }];
  });
  return ports.flatMap(({ name, port }, index) => {
    const taken = ports.slice(0, index).find((other) => other.port === port);
    if (taken === undefined) return [];
    return [{ name, message: `must be another port than ${taken.name}, or not be set (both are ${port})` }];
  });
}

const NEEDED_FOR_AUTH = ['audience', 'tokenIssuer', 'controllerSubject'] as const;

/** With ORDERTX_AUTH=on, everything a token is checked by must be there, and the keys come from exactly one place. */
export function checkParticipantSettings(values: Partial<ParticipantValues>): readonly SettingProblem[] {
  if (values.auth !== 'on') return [];
  const missing = NEEDED_FOR_AUTH.filter((key) => key in values && values[key] === undefined).map((key) => ({
    name: participantSettings[key].name,
    message: 'is not set; it is needed to check tokens (ORDERTX_AUTH=off is the only way without)',
  }));
  const sources = [values.jwksFile, values.jwksUrl].filter((source) => source !== undefined).length;
  if (sources === 1 || !('jwksUrl' in values)) return missing;
  const message =
    sources === 0
      ? 'or ORDERTX_JWKS_URL must be set to check tokens'
      : 'and ORDERTX_JWKS_URL are both set; set one of them';
  return [...missing, { name: participantSettings.jwksFile.name, message }];
}

/** Of values that passed `checkParticipantSettings`. */
export function tokenSettings(values: ParticipantValues): TokenSettings {
  if (values.auth === 'off') return { auth: 'off' };
  const { audience, tokenIssuer: issuer, controllerSubject: subject, jwksFile, jwksUrl } = values;
  const keys = jwksFile !== undefined ? { file: jwksFile } : jwksUrl !== undefined ? { urls: jwksUrl } : undefined;
  if (audience === undefined || issuer === undefined || subject === undefined || keys === undefined) {
    throw new Error('token settings are read before they were checked; pass checkParticipantSettings to readSettings');
  }
  return { auth: 'on', audience, issuer, subject, keys };
}
