/**
 * Asking another service over HTTP: GET, with a bounded answer, within a bounded time.
 *
 * Resolves, never rejects. What an answer means is the caller's: a status and a body are all there is here.
 */
import { Agent, request, type Dispatcher } from 'undici';
import { clientSpan } from './client-span.ts';

export interface AskOptions {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  /** Whom is asked, in words: "the order service". */
  readonly whom: string;
  /** For the whole answer. */
  readonly timeoutMs: number;
  /** A body far beyond what is asked for must not fill the memory. */
  readonly bytesMax: number;
}

export type Asked =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly header: (name: string) => string | undefined;
      /** Undefined for what is no JSON. */
      readonly body: unknown;
    }
  /** `why` is for the log, and the same from time to time. */
  | { readonly kind: 'unavailable'; readonly why: string };

export interface Asker {
  get(path: string): Promise<Asked>;
  close(): Promise<void>;
}

export function asker({ baseUrl, whom, timeoutMs, bytesMax }: AskOptions): Asker {
  const dispatcher = new Agent({ connect: { timeout: timeoutMs } });
  return {
    async get(path) {
      const span = clientSpan('GET', baseUrl + path);
      try {
        const { statusCode, headers, body } = await request(baseUrl + path, {
          ...{ dispatcher, method: 'GET', headers: { accept: 'application/json', ...span.headers } },
          signal: AbortSignal.timeout(timeoutMs),
        });
        span.answered(statusCode);
        const text = await boundedText(body, bytesMax);
        if (text === undefined)
          return { kind: 'unavailable', why: `${whom} gave an answer larger than ${bytesMax} bytes` };
        const header = (name: string) => {
          const value = headers[name];
          return Array.isArray(value) ? value[0] : value;
        };
        return { kind: 'answered', status: statusCode, header, body: parsed(text) };
      } catch (error) {
        span.failed(error);
        return { kind: 'unavailable', why: sentenceOf(error, whom, timeoutMs) };
      }
    },
    // Whoever closes has waited for its requests: what is left are idle connections.
    close: () => dispatcher.destroy(),
  };
}

async function boundedText(body: Dispatcher.ResponseData['body'], bytesMax: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop closes the connection.
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sentenceOf(error: unknown, whom: string, timeoutMs: number): string {
  const { name, code = name, message } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return `${whom} did not answer within ${timeoutMs / 1000} s`;
  return `${whom} could not be asked: ${message === '' ? code : message}`;
}
