/**
 * Requests to the API server: a pool of kept-alive connections, a time limit on everything, answers as values.
 *
 *  R1  Nothing here rejects for what the network or the API server does. No usable answer is a value, `unanswered`.
 *  R2  Every request ends within its time limit, retries and waiting for a connection included.
 *  R3  Only reads are sent again after an answer that never came or a 5xx. A write whose answer is missing may have
 *      happened, and only its caller knows what to read before going on. A 429 is sent again for both: the API server
 *      gives it before it does anything.
 *  R4  Credentials are read again every CREDENTIALS_MS and after a 401; connections are made anew when the
 *      certificates changed, and the old ones end when their last request has.
 *  R5  Streams have connections of their own, one each: however many namespaces are watched, requests find theirs.
 */
import type { KubeConfig } from '@kubernetes/client-node';
import { Pool, ProxyAgent, type Dispatcher } from 'undici';
import { parseExact } from '../../../services/protocol/src/exact-json.ts';
import { backoffMs, type BackoffPolicy } from '../runtime/backoff.ts';
import { delay, systemClock } from '../runtime/clock.ts';
import type { DatedAnswer } from '../runtime/remote-clock.ts';
import { readCredentials, serverOf, type Credentials } from './credentials.ts';
import { linesOf } from './lines.ts';
import { wholeAnswer, type WholeAnswer } from './whole-answer.ts';

export type ApiAnswer<T> =
  | { readonly kind: 'ok'; readonly body: T }
  | { readonly kind: 'error'; readonly error: ApiError }
  /** No answer, or a broken one: it may or may not have happened. The sentence is stable: no ids, times or counters. */
  | { readonly kind: 'unanswered'; readonly message: string };

/** An answer outside 2xx. */
export interface ApiError {
  readonly status: number;
  /** The machine-readable word of the API server's Status object: NotFound, Conflict, Expired, ... */
  readonly reason: string;
  /** Its sentence for people. */
  readonly message: string;
  /** The object it is about. Absent when it is not about one, as in the 404 for a resource that is not served. */
  readonly objectName?: string;
  /** As whom it was asked, where somebody acts as somebody else. */
  readonly askedAs?: string;
  /** Where a list goes on that took too long to be continued (410): with what is stored now. */
  readonly continue?: string;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the server's root; already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The caller wants to know of a missing answer: it is not sent again, though it is a read. */
  readonly once?: boolean;
  /** The answer is text and no JSON, as of what the API server is a proxy for. */
  readonly isText?: boolean;
  /** Of an object only its metadata is wanted; a server that cannot leave the rest out sends it too. */
  readonly isMetadataOnly?: boolean;
}

export interface Transport {
  /** Everything after scheme and authority is this side's; the label `host` of metrics. */
  readonly host: string;
  request<T>(request: ApiRequest): Promise<ApiAnswer<T>>;
  /** A streamed answer, line by line. The lines end when the server ends them; they throw when the connection breaks. */
  stream(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ApiAnswer<AsyncIterable<string>>>;
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly kubeConfig: KubeConfig;
  readonly userAgent: string;
  /** Sent with every request, beside what the credentials ask for. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Called for every answer and every attempt without one (code `<error>`, as in client-go). */
  readonly onAnswer?: (call: { readonly code: string; readonly method: string; readonly host: string }) => void;
  /** Called for every answer of the API server's own that says when it was sent: its clock is the one that counts. */
  readonly onDated?: (answer: DatedAnswer) => void;
}

const REQUEST_MS_DEFAULT = 10_000;
/** Until a stream's first byte; what it is silent for later is its reader's to judge. */
const STREAM_OPENS_MS = 30_000;
/** A service account's token file is rotated long before it expires, so half a minute too late is early enough. */
const CREDENTIALS_MS = 30_000;
/** Below this, status writes of many workers queue for connections; above, the API server only queues them itself. */
const CONNECTIONS_MAX = 64;
/** Under the API server's own idle limit (90 s), or a write would now and then meet a closing connection. */
const CONNECTION_IDLE_MS = 45_000;
/** How soon a peer that is gone without a word is noticed, together with the 10 probes a second apart that follow. */
const TCP_KEEPALIVE_MS = 15_000;
const CONNECT_MS = 5_000;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, ';
const ATTEMPTS_MAX = 4;
const RETRY: BackoffPolicy = { initialMs: 100, maxMs: 2_000, factor: 3, jitter: 0.5 };

interface Dispatchers {
  readonly requests: Dispatcher;
  /** R5. */
  readonly streams: Dispatcher;
}

interface Session {
  readonly credentials: Credentials;
  readonly dispatchers: Dispatchers;
  readonly expiresMs: number;
}

type Attempt<T> = ApiAnswer<T> & { readonly retryAfterMs?: number };

export class HttpTransport implements Transport {
  readonly host: string;
  readonly #options: TransportOptions;
  readonly #origin: string;
  readonly #basePath: string;
  #session: Session | undefined;
  #renewing: Promise<Session> | undefined;

  constructor(options: TransportOptions) {
    const url = new URL(serverOf(options.kubeConfig));
    this.#options = options;
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/$/, '');
    this.host = url.host;
  }

  async request<T>(request: ApiRequest): Promise<ApiAnswer<T>> {
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const limit = new TimeLimit(request.timeoutMs ?? REQUEST_MS_DEFAULT, request.signal);
    try {
      for (let attempt = 1; ; attempt += 1) {
        const { retryAfterMs, ...answer } = await this.#attempt<T>(request, body, limit);
        if (attempt === ATTEMPTS_MAX || !maySendAgain(request, answer)) return answer;
        const pauseMs = retryAfterMs ?? backoffMs(RETRY, attempt, Math.random());
        if (pauseMs >= limit.leftMs()) return answer;
        await delay(systemClock, pauseMs, limit.signal);
      }
    } finally {
      limit.end();
    }
  }

  async stream(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ApiAnswer<AsyncIterable<string>>> {
    const limit = new TimeLimit(STREAM_OPENS_MS, signal);
    try {
      const response = await this.#sent(limit, { method: 'GET' }, async ({ credentials, dispatchers }) => {
        const options = this.#optionsOf({ method: 'GET', path, query }, undefined, credentials);
        return limit.race(dispatchers.streams.request({ ...options, signal: limit.signal }));
      });
      if (response.statusCode >= 300)
        return { kind: 'error', error: errorOf(response.statusCode, await response.body.text()) };
      limit.lift();
      return { kind: 'ok', body: linesOf(response.body) };
    } catch (error) {
      limit.end();
      return { kind: 'unanswered', message: unansweredBecause(error) };
    }
  }

  async close(): Promise<void> {
    const session = this.#session ?? (await this.#renewing?.catch(() => undefined));
    await Promise.all([session?.dispatchers.requests.destroy(), session?.dispatchers.streams.destroy()]);
  }

  async #attempt<T>(request: ApiRequest, body: string | undefined, limit: TimeLimit): Promise<Attempt<T>> {
    try {
      const { statusCode, headers, text } = await this.#sent(limit, request, ({ credentials, dispatchers }) =>
        wholeAnswer(dispatchers.requests, this.#optionsOf(request, body, credentials), limit.signal),
      );
      if (statusCode < 300) return { kind: 'ok', body: (request.isText === true ? text : parseExact(text)) as T };
      const retryAfterMs = retryAfterMsOf(headers['retry-after']);
      const error = errorOf(statusCode, text);
      return { kind: 'error', error, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    } catch (error) {
      return { kind: 'unanswered', message: unansweredBecause(error) };
    }
  }

  async #sent<A extends Pick<WholeAnswer, 'statusCode' | 'headers'>>(
    limit: TimeLimit,
    { method }: Pick<ApiRequest, 'method'>,
    send: (session: Session) => Promise<A>,
  ): Promise<A> {
    const { host } = this;
    const session = this.#freshSession() ?? (await limit.race(this.#renew()));
    const sentMs = performance.now();
    try {
      const answer = await send(session);
      this.#options.onAnswer?.({ code: String(answer.statusCode), method, host });
      this.#dated(answer, sentMs);
      if (answer.statusCode === 401 && this.#session === session) this.#session = { ...session, expiresMs: 0 };
      return answer;
    } catch (error) {
      this.#options.onAnswer?.({ code: '<error>', method, host });
      throw error;
    }
  }

  #optionsOf(request: ApiRequest, body: string | undefined, { headers }: Credentials): Dispatcher.DispatchOptions {
    const { method } = request;
    return {
      origin: this.#origin,
      path: this.#basePath + withQuery(request.path, request.query),
      method,
      headers: {
        ...(this.#options.headers as Record<string, string | string[]> | undefined),
        ...headers,
        accept: `${request.isMetadataOnly === true ? METADATA_ONLY : ''}application/json, */*;q=0.1`,
        'user-agent': this.#options.userAgent,
        ...(body !== undefined && { 'content-type': contentTypeOf(method) }),
      },
      body: body ?? null,
      // Both are the callers' affair (R2); undici's own would cut a quiet watch.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
  }

  /** Errors do not count: a proxy on the way gives them too, by a clock of its own. */
  #dated({ statusCode, headers }: Pick<WholeAnswer, 'statusCode' | 'headers'>, sentMs: number): void {
    if (statusCode >= 300 || typeof headers.date !== 'string') return;
    this.#options.onDated?.({ dateMs: Date.parse(headers.date), sentMs, receivedMs: performance.now() });
  }

  #freshSession(): Session | undefined {
    return this.#session !== undefined && performance.now() < this.#session.expiresMs ? this.#session : undefined;
  }

  #renew(): Promise<Session> {
    this.#renewing ??= this.#renewed().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renewed(): Promise<Session> {
    const credentials = await readCredentials(this.#options.kubeConfig);
    const expiresMs = performance.now() + CREDENTIALS_MS;
    const old = this.#session;
    if (old?.credentials.connectionId === credentials.connectionId) {
      return (this.#session = { credentials, dispatchers: old.dispatchers, expiresMs });
    }
    void old?.dispatchers.requests.close();
    void old?.dispatchers.streams.close();
    const dispatchers = {
      requests: dispatcherFor(this.#origin, credentials, CONNECTIONS_MAX),
      streams: dispatcherFor(this.#origin, credentials, null),
    };
    return (this.#session = { credentials, dispatchers, expiresMs });
  }
}

/** A time limit and the caller's own signal in one; costs no timer once it has ended. */
class TimeLimit {
  readonly #abort = new AbortController();
  readonly #endsMs: number;
  readonly #timer: NodeJS.Timeout;
  readonly #caller: AbortSignal | undefined;
  readonly #onCallerAborts = (): void => this.#abort.abort(this.#caller?.reason);

  constructor(limitMs: number, caller: AbortSignal | undefined) {
    this.#endsMs = performance.now() + limitMs;
    this.#timer = setTimeout(() => this.#abort.abort(new TimedOut()), limitMs);
    this.#caller = caller;
    if (caller?.aborted) this.#onCallerAborts();
    else caller?.addEventListener('abort', this.#onCallerAborts);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  leftMs(): number {
    return this.#abort.signal.aborted ? 0 : this.#endsMs - performance.now();
  }

  /** Ends with the limit where undici does not: it looks at a request's signal only once there is a connection for it. */
  race<T>(pending: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(this.#abort.signal.reason as Error);
      if (this.#abort.signal.aborted) onAbort();
      else this.#abort.signal.addEventListener('abort', onAbort, { once: true });
      pending.then(resolve, reject);
    });
  }

  /** The limit is kept; from here on only the caller ends it. */
  lift(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#onCallerAborts);
  }
}

class TimedOut extends Error {}

/** @param connections null: as many as are asked for */
function dispatcherFor(origin: string, { connection }: Credentials, connections: number | null): Dispatcher {
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS, timeout: CONNECT_MS };
  // One request at a time on many HTTP/1.1 connections: with HTTP/2 one lost packet would stop them all, for no gain.
  const pool = { connections, pipelining: 1, allowH2: false, keepAliveTimeout: CONNECTION_IDLE_MS };
  switch (connection.type) {
    case 'agent':
      return new Pool(origin, { ...pool, connect: { ...connection.connect, ...keepAlive } });
    case 'none':
      return new Pool(origin, { ...pool, connect: keepAlive });
    case 'proxy':
      return new ProxyAgent({ ...pool, uri: connection.uri, requestTls: connection.requestTls, connect: keepAlive });
    case 'socks':
      throw new Error('the kubeconfig asks for a SOCKS proxy, which is not supported: use an http:// proxy-url');
  }
}

function maySendAgain({ method, once = false }: ApiRequest, answer: ApiAnswer<unknown>): boolean {
  const isHarmless = method === 'GET' && !once;
  switch (answer.kind) {
    case 'ok':
      return false;
    case 'unanswered':
      return isHarmless;
    case 'error':
      return answer.error.status === 429 || (isHarmless && answer.error.status >= 500);
  }
}

/** Our patches are merge patches: what the API server takes by default for PATCH does not fit an object. */
function contentTypeOf(method: ApiRequest['method']): string {
  return method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
}

function withQuery(path: string, query: ApiRequest['query']): string {
  return query === undefined ? path : `${path}?${new URLSearchParams(query).toString()}`;
}

/** What is read of the API server's Status. */
interface StatusObject {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly name?: string };
  readonly metadata?: { readonly continue?: string };
}

function errorOf(status: number, text: string): ApiError {
  try {
    const body = JSON.parse(text) as StatusObject;
    const { reason = '', message = text, details, metadata } = body;
    const objectName = details?.name;
    return {
      ...{ status, reason, message },
      ...(objectName !== undefined && { objectName }),
      ...(metadata?.continue !== undefined && { continue: metadata.continue }),
    };
  } catch {
    return { status, reason: '', message: text.slice(0, 512).trim() };
  }
}

/** Seconds, which is all that an API server sends. None, or none to come, is no wish: the back-off holds. */
function retryAfterMsOf(header: string | string[] | undefined): number | undefined {
  const seconds = typeof header === 'string' && /^\d{1,10}$/.test(header) ? Number(header) : 0;
  return seconds > 0 ? seconds * 1000 : undefined;
}

function unansweredBecause(error: unknown): string {
  if (error instanceof TimedOut) return 'the API server did not answer in time';
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') return `the API server gave no answer (${code})`;
  return error instanceof Error && error.name === 'AbortError'
    ? 'the request was aborted before its answer came'
    : `the API server gave no usable answer: ${error instanceof Error ? error.message : String(error)}`;
}
