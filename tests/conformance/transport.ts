/**
 * One HTTP request and what came of it, as a value. It knows no word of the protocol.
 *
 * 1. It resolves, never rejects, and no later than the timeout ends.
 * 2. Like the controller it keeps connections alive, follows no redirect and reads 64 kB of an answer. A participant that
 *    leaves a request's body unread therefore answers nonsense to the next one here too.
 * 3. An answer that came before the request was sent off entirely counts: that is how a large body is turned away.
 */
import http from 'node:http';
import https from 'node:https';

const ANSWER_BYTES_MAX = 65_536;

export interface Request {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined sends none. */
  readonly body?: string;
}

export interface Answered {
  readonly kind: 'answered';
  readonly status: number;
  /** Names in lower case. */
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly seconds: number;
}
export interface NoAnswer {
  readonly kind: 'none';
  readonly why: 'late' | 'unreachable' | 'broken';
  /** For people. */
  readonly detail: string;
}
export type Answer = Answered | NoAnswer;

export class Transport {
  readonly #timeoutMs: number;
  readonly #agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };
  #slowestSeconds = 0;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Of all answers so far. */
  get slowestSeconds(): number {
    return this.#slowestSeconds;
  }

  async send(request: Request): Promise<Answer> {
    const answer = await this.#exchange(request);
    if (answer.kind === 'answered') this.#slowestSeconds = Math.max(this.#slowestSeconds, answer.seconds);
    return answer;
  }

  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #exchange(request: Request, again = false): Promise<Answer> {
    const startedMs = performance.now();
    const timeoutMs = this.#timeoutMs;
    return new Promise((resolve) => {
      const outgoing = this.#open(request);
      const deadline = setTimeout(
        () => end({ kind: 'none', why: 'late', detail: `none within ${timeoutMs / 1_000} s` }),
        timeoutMs,
      );
      let isAnswering = false;
      function end(answer: Answer): void {
        clearTimeout(deadline);
        resolve(answer);
        if (answer.kind === 'none') outgoing.destroy();
      }
      outgoing.once('response', (incoming) => {
        isAnswering = true;
        void readText(incoming).then((text) => {
          const { statusCode: status = 0, headers } = incoming;
          const seconds = (performance.now() - startedMs) / 1_000;
          end(
            text === undefined
              ? { kind: 'none', why: 'broken', detail: `status ${status}, then the connection broke off` }
              : { kind: 'answered', status, headers, text, seconds },
          );
        });
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        if (isAnswering) return;
        // A connection that was idle may be closed by the other side at the moment we use it: that is nobody's fault.
        if (outgoing.reusedSocket && error.code === 'ECONNRESET' && !again) {
          clearTimeout(deadline);
          resolve(this.#exchange(request, true));
          return;
        }
        const why = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/.test(error.code ?? '')
          ? 'unreachable'
          : 'broken';
        end({ kind: 'none', why, detail: error.message === '' ? (error.code ?? 'no connection') : error.message });
      });
      outgoing.end(request.body);
    });
  }

  #open({ method, url, headers, body }: Request): http.ClientRequest {
    const { protocol } = new URL(url);
    const length = body === undefined ? (method === 'POST' ? 0 : undefined) : Buffer.byteLength(body);
    const all = length === undefined ? headers : { ...headers, 'content-length': String(length) };
    return protocol === 'https:'
      ? https.request(url, { method, headers: all, agent: this.#agents['https:'] })
      : http.request(url, { method, headers: all, agent: this.#agents['http:'] });
  }
}

/** Undefined where it broke off. What is beyond the limit is read and dropped. */
function readText(incoming: http.IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => {
      if (bytes < ANSWER_BYTES_MAX) chunks.push(chunk);
      bytes += chunk.length;
    });
    incoming.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    incoming.once('close', () => resolve(undefined));
    incoming.on('error', () => resolve(undefined));
  });
}
