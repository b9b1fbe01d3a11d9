/**
 * Bytes that are no HTTP request get a problem document all the same, and nothing is written into another answer.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { until } from '../../testing/until.ts';
import { answerBrokenRequests } from './broken-request.ts';

const HEADERS_CHARS_TOO_MANY = 20_000;

let server: Server;
let waiting: ServerResponse | undefined;
let connections = 0;

beforeAll(async () => {
  server = createServer((_, response) => {
    response.write('a part');
    waiting = response;
  });
  answerBrokenRequests(server);
  server.on('connection', (socket) => {
    connections += 1;
    socket.once('close', () => (connections -= 1));
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function dial(): Socket {
  return connect((server.address() as AddressInfo).port, '127.0.0.1');
}

/** Until the server ends the connection. */
async function everythingFrom(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

test.each([
  ['a byte in the path that no URL has', 'GET /caf\u00e9 HTTP/1.1\r\nhost: a\r\n\r\n', 400, 'path'],
  ['a method that there is not', 'BREW /tea HTTP/1.1\r\nhost: a\r\n\r\n', 400, 'method'],
  ['a length that is no number', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n', 400, 'Content-Length'],
  ['headers without end', `GET / HTTP/1.1\r\nnote: ${'x'.repeat(HEADERS_CHARS_TOO_MANY)}\r\n\r\n`, 431, 'headers'],
])('%s is answered with a problem that names it', async (_, bytes, status, word) => {
  const socket = dial();
  socket.write(Buffer.from(bytes, 'latin1'));
  const [head = '', body = ''] = (await everythingFrom(socket)).split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${String(status)} `));
  expect(head).toContain('content-type: application/problem+json');
  expect(head).toContain(`content-length: ${String(Buffer.byteLength(body))}`);
  expect(JSON.parse(body)).toMatchObject({ status, detail: expect.stringContaining(word) });
});

test('a sender that never ends its own side is not waited for', async () => {
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const answer = everythingFrom(socket);
  socket.write('BREW\r\n\r\n');
  await expect(answer).resolves.toMatch(/^HTTP\/1.1 400 /);
  await until('the connection is gone', () => connections === 0);
});

test('behind a request whose answer is under way, the connection ends and the answer is left as it is', async () => {
  const socket = dial();
  const answer = everythingFrom(socket);
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await until('the answer has begun', () => waiting !== undefined);
  socket.write('BREW\r\n\r\n');
  await expect(answer).resolves.toMatch(/a part\r\n$/);
});
