/**
 * The business services on this machine: which there are, and how one is started.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runPart, type Part } from './parts.ts';
import { inheritedEnvironment, type ProcessGroup, type ProcessSpec } from './process-group.ts';

export type ServiceName = 'order' | 'inventory' | 'payment' | 'dispatch' | 'wms' | 'member' | 'notification';

/** Those that the flows call; the others hear messages. */
export type ParticipantName = Extract<ServiceName, 'order' | 'inventory'>;

export type ServiceTraits = {
  readonly name: ServiceName;
  /** The flows call it, so it has to know that it is the controller who calls. */
  readonly participates?: true;
  /** Creates OrderTransactions, so it gets a kubeconfig of its own. No other service has credentials for the cluster. */
  readonly createsTransactions?: true;
  /** What it needs to know of the others. Who is not there is left out, and the service says at its start that it misses it. */
  readonly env?: (origins: Origins) => Readonly<Record<string, string>>;
};

/** `http://127.0.0.1:<port>` of each service there is. */
export type Origins = Readonly<Partial<Record<ServiceName, string>>>;

/** In the order in which they are started and shown. */
export const SERVICES: readonly ServiceTraits[] = [
  {
    ...{ name: 'order', participates: true, createsTransactions: true },
    // Nobody but this machine's own user reaches it.
    env: ({ payment }) => ({ ORDER_PRICES: 'trusted', ...(payment !== undefined && { PAYMENT_URL: payment }) }),
  },
  { name: 'inventory', participates: true },
  {
    name: 'payment',
    env: ({ order }) => ({ PAYMENT_PROVIDER_AUTH: 'off', ...(order !== undefined && { ORDER_URL: order }) }),
  },
  { name: 'dispatch' },
  { name: 'wms' },
  { name: 'member' },
  { name: 'notification' },
];

/** How a participant knows that it is the controller who calls. */
export type CallerCheck =
  | { readonly kind: 'off' }
  | { readonly kind: 'on'; readonly issuer: string; readonly jwksUrl: string; readonly subject: string };

export type ServiceOptions = {
  readonly name: ServiceName;
  readonly port: number;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Namespaces whose transactions it takes part in. */
  readonly namespaces: readonly string[];
  readonly callers: CallerCheck;
  /** Of the account that may create transactions, with the namespace it creates them in. */
  readonly kubeconfig?: string;
  /** Of the services it may have to know. */
  readonly origins?: Origins;
  /** Added to the process's environment; wins over what the other options say. */
  readonly env?: Readonly<Record<string, string>>;
  /** What an image holds, in a folder: it is run instead of the sources. */
  readonly bundle?: string;
};

export type RunningService = { readonly url: string; readonly databaseUrl: string; readonly part: Part };

const READY_MS = 60_000;
const READYZ_MS = 2_000;
const ROOT = join(import.meta.dirname, '..');

export async function startService(group: ProcessGroup, options: ServiceOptions): Promise<RunningService> {
  const { url, spec } = serviceProcess(options);
  const part = await runPart(group, { spec, ready: () => answersReadyz(url), readyMs: READY_MS });
  return { url, databaseUrl: options.databaseUrl, part };
}

/** How its process is started, and where it will be. */
export function serviceProcess(options: ServiceOptions): { readonly url: string; readonly spec: ProcessSpec } {
  const { name, port, bundle } = options;
  const main = bundle === undefined ? join(ROOT, 'services', name, 'src', 'main.ts') : join(bundle, 'main.mjs');
  if (!existsSync(main)) throw new Error(`there is no service ${name} (${main})`);
  const env = { ...inheritedEnvironment(), ...serviceEnvironment(options), ...options.env };
  const spec = { name, command: process.execPath, args: [main], env, cwd: bundle ?? ROOT, leaf: true };
  return { url: `http://127.0.0.1:${port}`, spec };
}

function serviceEnvironment(options: ServiceOptions): Record<string, string> {
  const traits = SERVICES.find(({ name }) => name === options.name);
  return {
    HOST: '127.0.0.1',
    PORT: String(options.port),
    DATABASE_URL: options.databaseUrl,
    REDIS_URL: options.redisUrl,
    ORDERTX_NAMESPACES: options.namespaces.join(','),
    ...(traits?.participates === true && callerEnvironment(options)),
    ...(options.kubeconfig !== undefined && { KUBECONFIG: options.kubeconfig }),
    ...traits?.env?.(options.origins ?? {}),
  };
}

function callerEnvironment({ callers, port }: ServiceOptions): Record<string, string> {
  if (callers.kind === 'off') return { ORDERTX_AUTH: 'off' };
  return {
    ORDERTX_AUTH: 'on',
    ORDERTX_AUDIENCE: `ordertx/127.0.0.1:${port}`,
    ORDERTX_TOKEN_ISSUER: callers.issuer,
    ORDERTX_JWKS_URL: callers.jwksUrl,
    ORDERTX_CONTROLLER_SUBJECT: callers.subject,
  };
}

/** Whether the process at `url` says that it is ready to serve. */
export async function answersReadyz(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(READYZ_MS) });
  if (!answer.ok) throw new Error(`${url}/readyz answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
  return true;
}
