/**
 * What is answered to bytes that are no HTTP request: Node's parser gives up on them before any route sees them, and by itself would
 * answer with a status and nothing else.
 */
import { STATUS_CODES, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { problem } from './problem.ts';

/** By the parser's own error codes; 400 for every other. */
const STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};
const DETAIL: Readonly<Record<number, string>> = {
  408: 'The request did not come to its end in time.',
  413: 'body: has chunk extensions that are too long',
  431: 'headers: are too long together',
};

export function answerBrokenRequests(server: Server): void {
  const answering = new WeakSet<Duplex>();
  server.on('request', ({ socket }, response) => {
    answering.add(socket);
    response.once('close', () => answering.delete(socket));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Into the middle of another answer nothing can be written, and to someone who has gone neither.
    if (!socket.writable || answering.has(socket) || error.code === 'ECONNRESET') socket.destroy(error);
    // Who never closes its own side would otherwise keep the connection for ever.
    else socket.end(answerTo(error), () => socket.destroy());
  });
}

function answerTo(error: NodeJS.ErrnoException): string {
  const status = STATUS[error.code ?? ''] ?? 400;
  const detail = DETAIL[status] ?? `The request is not HTTP. ${error.message}`;
  const { body, headers = {} } = problem(status, { detail });
  const text = JSON.stringify(body);
  const lines = Object.entries({ ...headers, 'content-length': Buffer.byteLength(text), connection: 'close' });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${text}`;
}
