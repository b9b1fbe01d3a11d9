/**
 * One request over a socket, byte by byte as it was made: nothing is tidied up on the way, as fetch would.
 */
import type { Agent } from 'node:http';
import { request, type IncomingHttpHeaders } from 'node:http';

/** Nothing here waits for longer than a second. */
export const ANSWER_MS_MAX = 10_000;

export interface WireRequest {
  readonly method: string;
  /** Path and query as they stand in the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Rejects when no whole answer came in time. */
export async function exchange(url: string, wire: WireRequest, agent: Agent): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const { method, target, headers, body } = wire;
  return new Promise((resolve, reject) => {
    const call = request(
      {
        ...{ hostname, port, method, path: target, agent, signal: AbortSignal.timeout(ANSWER_MS_MAX) },
        headers: { ...headers, ...(body !== undefined && { 'content-length': String(body.length) }) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    call.once('error', reject);
    call.end(body);
  });
}
