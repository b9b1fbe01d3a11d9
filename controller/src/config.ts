/**
 * The controller's settings: the only reader of process.env and of the command line here.
 *
 * docs/reference/configuration.md is generated from `controllerSettings`.
 */
import { z } from 'zod';
import {
  readSettingsOrExit,
  type Check,
  type Setting,
  type SettingProblem,
  type ValuesOf,
} from '../../services/kit/src/settings.ts';
import { postgresUrl, redisUrl } from '../../services/kit/src/server-url.ts';
import {
  certificatesFile,
  checkDatabaseTls,
  checkRedisTls,
  redisTlsSettings,
} from '../../services/kit/src/tls-settings.ts';
import { tracingSettings } from '../../services/tracing/src/settings.ts';
import { LEASE_PREFIX_DEFAULT, LEASE_PREFIX_MAX } from './kubernetes/lease-names.ts';
import { parseAllowList } from './participants/allow-list.ts';

const list = z.string().transform((text): readonly string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== ''),
);

const namespaces = list.refine((names) => names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)), {
  message: 'must be names of namespaces, separated by commas',
});

const onOrOff = z.enum(['on', 'off'], { message: 'must be on or off' });

export const controllerSettings = {
  kubeconfig: {
    name: 'KUBECONFIG',
    description: 'Path of the kubeconfig. Without it: the service account of the pod it runs in.',
    optional: true,
    schema: z.string().min(1, 'must be the path of a kubeconfig'),
  },
  port: {
    name: 'PORT',
    description: 'Port of /metrics, /healthz, /readyz, /jwks, /version and /transactions.',
    default: '8080',
    schema: z.string().transform(Number).pipe(z.int().min(1).max(65_535, 'must be a port, 1 to 65535')),
  },
  host: {
    name: 'HOST',
    description: 'The address to listen on; without it, every one that there is, as a pod needs it.',
    optional: true,
    schema: z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' }),
  },
  redisUrl: {
    name: 'REDIS_URL',
    description: 'The Redis that messages are published to, redis://[user:password@]host:port[/database].',
    secret: true,
    schema: redisUrl,
  },
  ...redisTlsSettings,
  namespaces: {
    name: 'ORDERTX_NAMESPACES',
    description: 'Namespaces whose transactions it carries, separated by commas. Without it: its own.',
    optional: true,
    schema: namespaces,
  },
  allowEndpoints: {
    name: 'ORDERTX_ALLOW_ENDPOINTS',
    description:
      "Endpoints that flows may name outside their transactions' namespace: URL origins or <service>.<namespace>, separated by commas. The flag --allow-endpoints=... says the same and wins.",
    default: '',
    schema: list,
  },
  leaderElection: {
    name: 'ORDERTX_LEADER_ELECTION',
    description:
      'on: replicas share the shards by Leases. off: every replica works on every transaction (safe, but wasteful).',
    default: 'on',
    schema: onOrOff,
  },
  shards: {
    name: 'ORDERTX_SHARDS',
    description:
      'Into how many shards, each with a Lease, the work is divided; the same number for every replica. While numbers differ, each transaction has an owner for each: safe, but wasteful.',
    default: '1',
    schema: z.string().transform(Number).pipe(z.int().min(1).max(64, 'must be a number from 1 to 64')),
  },
  leasePrefix: {
    name: 'ORDERTX_LEASE_PREFIX',
    description:
      'What the names of its Leases begin with, <prefix>-shard-0-of-1: the name of the installation, the same for every replica. Two installations in one namespace need two, or the transactions of one of them are carried by nobody.',
    default: LEASE_PREFIX_DEFAULT,
    schema: z
      .string()
      .max(LEASE_PREFIX_MAX, `must be ${LEASE_PREFIX_MAX} characters at most: Leases are named <prefix>-shard-0-of-1`)
      .regex(
        /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
        'must be lower-case letters, digits and -, and begin and end with a letter or digit: Leases are named <prefix>-shard-0-of-1',
      ),
  },
  replica: {
    name: 'ORDERTX_REPLICA',
    description:
      "This replica's identity in Leases, Events and the name of its receipts' stream, for which its Redis user may ask that it begin with controller-. Without it: controller-, host name and process id.",
    optional: true,
    schema: z
      .string()
      .regex(
        /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,98}[A-Za-z0-9])?$/,
        'must be a name of letters, digits, - _ ., 100 at most',
      ),
  },
  removalsPerSecond: {
    name: 'ORDERTX_REMOVALS_PER_SECOND',
    description:
      'How many ended transactions are removed a second, at most and evenly. More than end a second at the busiest hour, or they pile up (ordertx_removal_overdue_seconds).',
    default: '200',
    schema: z.string().transform(Number).pipe(z.int().min(1).max(5_000, 'must be a number from 1 to 5000')),
  },
  archiveDatabaseUrl: {
    name: 'ARCHIVE_DATABASE_URL',
    description:
      'The Postgres database that ended transactions are archived in before they are removed, postgres://user:password@host:port/database. Without it they are gone then. While it is away they stay.',
    optional: true,
    secret: true,
    schema: postgresUrl,
  },
  archiveDatabaseCaFile: {
    name: 'ARCHIVE_DATABASE_CA_FILE',
    description:
      "The certificates that the archive database's has to be signed by, PEM: connections are made with TLS, and only to a server that shows one for its name (sslmode=verify-full). Without it, as the URL says (`?sslmode=`).",
    optional: true,
    schema: certificatesFile,
  },
  archiveRetentionDays: {
    name: 'ARCHIVE_RETENTION_DAYS',
    description:
      'How long the archive keeps a transaction after its end; it goes with its month, so up to 31 days later.',
    default: '365',
    schema: z.string().transform(Number).pipe(z.int().min(1).max(36_500, 'must be a number from 1 to 36500')),
  },
  auth: {
    name: 'ORDERTX_AUTH',
    description: 'on: calls to participants carry a service-account token. off: they carry none.',
    default: 'on',
    schema: onOrOff,
  },
  serviceAccount: {
    name: 'ORDERTX_SERVICE_ACCOUNT',
    description:
      'The service account whose tokens participants get, <namespace>/<name>. Needed while ORDERTX_AUTH is on.',
    optional: true,
    schema: z.string().regex(/^[a-z0-9][-a-z0-9]*\/[a-z0-9][-a-z0-9.]*$/, 'must be <namespace>/<name>'),
  },
  logLevel: {
    name: 'LOG_LEVEL',
    description: 'The least important lines to be logged.',
    default: 'info',
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], {
      message: 'must be one of trace, debug, info, warn, error, fatal',
    }),
  },
  ...tracingSettings,
} as const satisfies Readonly<Record<string, Setting<unknown>>>;

export type ControllerConfig = ValuesOf<typeof controllerSettings>;

export const checkControllerSettings: Check<typeof controllerSettings> = (values) => {
  const problems: SettingProblem[] = [];
  if (values.auth === 'on' && values.serviceAccount === undefined) {
    const message = 'is needed while ORDERTX_AUTH is on: name the controller’s service account as <namespace>/<name>';
    problems.push({ name: controllerSettings.serviceAccount.name, message });
  }
  const { archiveDatabaseUrl: url, archiveDatabaseCaFile: caFile } = controllerSettings;
  problems.push(
    ...checkRedisTls(values),
    ...checkDatabaseTls(
      { url: url.name, caFile: caFile.name },
      values.archiveDatabaseUrl,
      values.archiveDatabaseCaFile,
    ),
  );
  const allowed = parseAllowList(values.allowEndpoints ?? []);
  if (allowed.kind === 'invalid') {
    problems.push(...allowed.problems.map((message) => ({ name: controllerSettings.allowEndpoints.name, message })));
  }
  return problems;
};

const ALLOW_ENDPOINTS_FLAG = '--allow-endpoints=';

/** Reads environment and command line; prints every bad setting and exits with code 2 where there is one. */
export function readConfigOrExit(): ControllerConfig {
  const [flag, ...others] = process.argv.slice(2);
  if (others.length > 0 || (flag !== undefined && !flag.startsWith(ALLOW_ENDPOINTS_FLAG))) {
    process.stderr.write('usage: main.ts [--allow-endpoints=ENTRY,...]; everything else is set by the environment\n');
    process.exit(2);
  }
  const environment =
    flag === undefined
      ? process.env
      : { ...process.env, [controllerSettings.allowEndpoints.name]: flag.slice(ALLOW_ENDPOINTS_FLAG.length) };
  return readSettingsOrExit(controllerSettings, environment, checkControllerSettings);
}
