/**
 * A proxy that stands between the controller and everything it calls, numbers the requests that matter, and lets a test
 * decide at each of them: pass it on, drop it before it arrives, drop its answer after it did, or answer in its place.
 * A verdict may take its time. A request that is passed on after its sender has given up is still carried out.
 *
 * Several proxies (API server, participants) share one Tap, so that the numbers run through all of them in the order in
 * which the requests came. What the Tap does not count (lists, watches, leases, tokens) always passes.
 */
import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Tapped {
  /** From 1, over all proxies of the tap, since its last reset. */
  readonly number: number;
  readonly to: string;
  readonly method: string;
  readonly path: string;
  /** Of a call to a participant: its transaction's name; else empty. */
  readonly transaction: string;
}

export interface StandInAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Verdict = 'pass' | 'drop' | StandInAnswer;

export interface Fault {
  /** The whole request is here, nothing of it has been passed on. */
  before?: (request: Tapped, body: Buffer) => Verdict | Promise<Verdict>;
  /** It was carried out and answered with this HTTP status; nothing of the answer has been passed on. */
  after?: (request: Tapped, status: number) => Verdict | Promise<Verdict>;
}

export class Tap {
  readonly #counts: (to: string, method: string, path: string) => boolean;
  #seen: Tapped[] = [];
  fault: Fault = {};

  constructor(counts: (to: string, method: string, path: string) => boolean) {
    this.#counts = counts;
  }

  get seen(): readonly Tapped[] {
    return this.#seen;
  }

  reset(fault: Fault): void {
    this.#seen = [];
    this.fault = fault;
  }

  take(to: string, method: string, path: string, transaction = ''): Tapped | undefined {
    if (!this.#counts(to, method, path)) return undefined;
    const request = { number: this.#seen.length + 1, to, method, path, transaction };
    this.#seen.push(request);
    return request;
  }
}

export interface FaultProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** @param certificate PEM to trust, where the target speaks https */
export async function startFaultProxy(to: string, target: string, tap: Tap, certificate?: string): Promise<FaultProxy> {
  const { protocol, hostname, port } = new URL(target);
  const client = protocol === 'https:' ? https : http;
  const agent =
    protocol === 'https:' ? new https.Agent({ keepAlive: true, ca: certificate }) : new http.Agent({ keepAlive: true });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const tapped = tap.take(to, method, url, request.headers['ordertx-transaction']?.toString().split('/')[1]);
    const { fault } = tap;
    const body = await readAll(request);
    const verdict = (tapped && (await fault.before?.(tapped, body))) ?? 'pass';
    if (verdict !== 'pass') {
      stop(request, response, verdict);
      return;
    }
    const upstream = client.request({
      agent,
      hostname,
      port,
      method,
      path: url,
      headers: { ...request.headers, host: `${hostname}:${port}` },
    });
    upstream.on('error', () => request.socket.destroy());
    response.on('close', () => upstream.destroy());
    upstream.end(body);
    const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
    if (!tapped) {
      response.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
      answer.on('error', () => request.socket.destroy());
      answer.pipe(response);
      return;
    }
    const answerBody = await readAll(answer);
    const afterwards = (await fault.after?.(tapped, answer.statusCode ?? 0)) ?? 'pass';
    if (afterwards !== 'pass') {
      stop(request, response, afterwards);
      return;
    }
    const headers = { ...endToEnd(answer.headers), 'content-length': String(answerBody.length) };
    response.writeHead(answer.statusCode ?? 502, headers);
    response.end(answerBody);
  }

  const server = http.createServer({ keepAlive: true }, (request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await once(server, 'close');
    },
  };
}

function stop(request: IncomingMessage, response: ServerResponse, verdict: Exclude<Verdict, 'pass'>): void {
  if (verdict === 'drop') request.socket.destroy();
  else response.writeHead(verdict.status, verdict.headers).end(verdict.body);
}

/** Without what the target says of its own connection: this proxy closes an idle one at a time of its own. */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...rest } = headers;
  return rest;
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
