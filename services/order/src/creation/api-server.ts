/**
 * Creates OrderTransactions at a real API server, with the server and the credentials of a kubeconfig or of the pod.
 *
 * 1. One dispatcher for all calls: the client library makes a new one, and with it a TLS connection, for every call.
 * 2. Credentials are read again every CREDENTIALS_MS and after a 401: tokens of a pod are replaced about hourly, kubeconfigs by people.
 * 3. Every call ends after TIMEOUT_MS: a half-open connection must not hold a place for ever.
 */
import type { RequestOptions } from 'node:https';
import type { KubeConfig as LoadedKubeConfig } from '@kubernetes/client-node';
import { Agent, request } from 'undici';
import { KubeConfig } from '../../../kube-config/src/kube-config.ts';
import type { NewTransaction } from './creation.ts';
import type { CreateResult, TransactionApi } from './transaction-api.ts';

/** Longer than an API server that is still well takes under load, short enough that 32 hanging calls do not hold up a backlog. */
const TIMEOUT_MS = 5_000;
const CREDENTIALS_MS = 60_000;
/** Under the API server's own idle limit (90 s); the pool's default of 4 s would cost a quiet shop a TLS handshake for every order. */
const CONNECTION_IDLE_MS = 45_000;
const ERROR_CHARS_MAX = 1_000;
const REFUSED = new Set([400, 413, 422]);
/** Field managers are shown in managedFields; without it that is the user agent. */
const FIELD_MANAGER = 'ordertx-order';

export interface ApiServer extends TransactionApi {
  close(): Promise<void>;
}

/** A kubeconfig's path; without one, the pod's own service account. */
export function loadKubeConfig(path: string | undefined): LoadedKubeConfig {
  const config = new KubeConfig();
  if (path === undefined) config.loadFromCluster();
  else config.loadFromFile(path);
  return config;
}

/** The namespace that a kubeconfig's context, or the pod, stands in. */
export function ownNamespace(config: LoadedKubeConfig): string {
  return config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
}

export function apiServer(kubeconfig: string | undefined): ApiServer {
  const access = new Access(kubeconfig);
  return {
    async create(transaction) {
      try {
        return await post(access, transaction);
      } catch (error) {
        return { kind: 'unavailable', error: sentenceOf(error) };
      }
    },
    close: () => access.close(),
  };
}

async function post(access: Access, transaction: NewTransaction): Promise<CreateResult> {
  const { server, headers, dispatcher } = await access.get();
  const { namespace } = transaction.metadata;
  const path = `/apis/ordertx.dev/v1alpha1/namespaces/${namespace}/ordertransactions?fieldManager=${FIELD_MANAGER}`;
  const { statusCode, body } = await request(server + path, {
    method: 'POST',
    dispatcher,
    headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(transaction),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (statusCode === 201) {
    await body.dump();
    return { kind: 'created' };
  }
  const status = parseStatus(await body.text());
  if (statusCode === 409 && status.reason === 'AlreadyExists') return { kind: 'exists' };
  if (statusCode === 401) access.expire();
  const error = `the API server answered ${statusCode}: ${status.message}`;
  if (isNamespaceGone(statusCode, status)) return { kind: 'namespace-gone', error };
  return REFUSED.has(statusCode) ? { kind: 'refused', error } : { kind: 'unavailable', error };
}

interface ApiStatus {
  readonly reason: string;
  readonly message: string;
  /** What the answer is about. */
  readonly about: string;
  /** Reasons of its causes. */
  readonly causes: readonly string[];
}

/** The API server's Status object; whatever stands between us and it answers in its own words. */
function parseStatus(text: string): ApiStatus {
  try {
    const { reason, message, details } = JSON.parse(text) as {
      readonly reason?: unknown;
      readonly message?: unknown;
      readonly details?: { readonly kind?: unknown; readonly causes?: readonly { readonly reason?: unknown }[] };
    };
    return {
      reason: String(reason),
      message: String(message).slice(0, ERROR_CHARS_MAX),
      about: String(details?.kind),
      causes: (details?.causes ?? []).map((cause) => String(cause.reason)),
    };
  } catch {
    return { reason: '', message: text.slice(0, ERROR_CHARS_MAX), about: '', causes: [] };
  }
}

/** A 404 may also be about the kind, which is not installed yet, and a 403 about our rights: those are mended within minutes. */
function isNamespaceGone(statusCode: number, { about, causes }: ApiStatus): boolean {
  return (
    (statusCode === 403 && causes.includes('NamespaceTerminating')) || (statusCode === 404 && about === 'namespaces')
  );
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the API server could not be asked';
  if (error.name === 'TimeoutError') return `the API server did not answer within ${TIMEOUT_MS / 1000} s`;
  const code = (error as NodeJS.ErrnoException).code;
  return `the API server could not be asked: ${error.message === '' ? (code ?? error.name) : error.message}`.slice(
    0,
    ERROR_CHARS_MAX,
  );
}

interface Credentials {
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Agent;
  readonly untilMs: number;
}

/** The TLS part of a kubeconfig; connections live as long as it stays the same. */
type Tls = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'>;

class Access {
  #kubeconfig: string | undefined;
  #credentials: Credentials | undefined;
  #loading: Promise<Credentials> | undefined;
  #tls = '';

  constructor(kubeconfig: string | undefined) {
    this.#kubeconfig = kubeconfig;
  }

  async get(): Promise<Credentials> {
    if (this.#credentials !== undefined && performance.now() < this.#credentials.untilMs) return this.#credentials;
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  /** What was read is not accepted any more; read it again for the next call. */
  expire(): void {
    if (this.#credentials !== undefined) this.#credentials = { ...this.#credentials, untilMs: 0 };
  }

  async close(): Promise<void> {
    // Whoever closes has waited for its calls: what is left are connections, some perhaps only half made.
    await this.#credentials?.dispatcher.destroy();
  }

  async #load(): Promise<Credentials> {
    const config = loadKubeConfig(this.#kubeconfig);
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig names no current cluster');
    if (cluster.proxyUrl !== undefined) throw new Error('a kubeconfig with a proxy-url is not supported');
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    this.#credentials = {
      server: cluster.server.replace(/\/+$/, ''),
      headers: headersOf(options),
      dispatcher: this.#dispatcher(options),
      untilMs: performance.now() + CREDENTIALS_MS,
    };
    return this.#credentials;
  }

  #dispatcher({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): Agent {
    const tls: Tls = withoutUndefined({ ca, cert, key, rejectUnauthorized, servername });
    const fingerprint = JSON.stringify(tls);
    const last = this.#credentials?.dispatcher;
    if (last !== undefined && fingerprint === this.#tls) return last;
    this.#tls = fingerprint;
    void last?.close();
    return new Agent({
      // One creation at a time on each connection: HTTP/2 costs both ends more CPU for it, and one lost packet stops them all.
      allowH2: false,
      pipelining: 1,
      // An abort is not heeded while a connection is being made, so that has a limit of its own.
      connect: { ...tls, keepAlive: true, timeout: TIMEOUT_MS },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      keepAliveTimeout: CONNECTION_IDLE_MS,
    });
  }
}

/** Authorization and impersonation, whatever the kubeconfig asks for. */
function headersOf({ headers, auth }: RequestOptions): Readonly<Record<string, string>> {
  const given = Object.entries(headers ?? {}).map(([name, value]): [string, string] => [name, String(value)]);
  const basic: Readonly<Record<string, string>> =
    auth == null ? {} : { authorization: `Basic ${Buffer.from(auth).toString('base64')}` };
  return { ...basic, ...Object.fromEntries(given) };
}

/** undici hands the options on to tls.connect, where a present undefined is not the same as none. */
function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
