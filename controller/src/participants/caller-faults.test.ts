/** Participants that answer badly, late or not at all: every such call ends in time, as unknown, and leaves nothing behind. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { CallResult } from '../reconcile/ports.ts';
import type { ParticipantCaller } from './caller.ts';
import { BODY_BYTES_MAX } from './exchange.ts';
import { answerState, callerFor, callTo, participantAt, startParticipant } from './loopback-participant.ts';

const NEVER = new AbortController().signal;
const ignore = () => undefined;
const cleanUp: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const each of cleanUp.splice(0).reverse()) await each();
});

/** A server below HTTP: what it does with a connection's first bytes is the test's. */
async function startSocketServer(
  onRequest: (socket: Socket) => unknown,
): Promise<{ origin: string; open: Set<Socket> }> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    socket.on('error', ignore);
    socket.on('close', () => open.delete(socket));
    socket.once('data', () => onRequest(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open };
}

async function startServer(...answer: Parameters<typeof startParticipant>) {
  const participant = await startParticipant(...answer);
  cleanUp.push(() => participant.stop());
  return participant;
}

function makeCaller(origin: string): ParticipantCaller {
  const caller = callerFor([origin]);
  cleanUp.push(() => caller.close());
  return caller;
}

function tryAt(origin: string, timeoutSeconds = 5, signal = NEVER): Promise<CallResult> {
  return makeCaller(origin).call(callTo(participantAt(origin, { timeoutSeconds })), signal);
}

async function waitUntil(isTrue: () => boolean, deadlineMs = 2_000): Promise<void> {
  const giveUpAt = Date.now() + deadlineMs;
  while (!isTrue()) {
    if (Date.now() > giveUpAt) throw new Error('the awaited condition did not come');
    await new Promise(setImmediate);
  }
}

function unknown(words: RegExp) {
  return { kind: 'unknown', detail: expect.stringMatching(words) };
}

const HEAD = 'HTTP/1.1 200 OK\r\nOrdertx-State: Tried\r\n';

describe('no answer in time', () => {
  test.each([
    ['hangs after accepting', ignore],
    ['stops within its headers', (socket: Socket) => socket.write(HEAD)],
    ['stops within its body', (socket: Socket) => socket.write(`${HEAD}Content-Length: 10\r\n\r\n12345`)],
    [
      'sends its body a byte at a time without end',
      (socket: Socket) => {
        socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
        const drip = setInterval(() => socket.write('1\r\nx\r\n'), 5);
        socket.on('close', () => clearInterval(drip));
      },
    ],
  ])('a participant that %s is unknown, and its connection is closed', async (_what, onRequest) => {
    const server = await startSocketServer(onRequest);
    const outcome = await tryAt(server.origin, 0.1);
    expect(outcome).toEqual(unknown(/^gave no answer within the participant's timeoutSeconds/));
    await waitUntil(() => server.open.size === 0);
  });

  test('an answer after the time-out changes nothing, and the next call is answered', async () => {
    const late: (() => void)[] = [];
    const participant = await startServer((response, { path }) => {
      if (path.endsWith('/try')) late.push(() => answerState(response, 'Tried'));
      else answerState(response, 'Confirmed');
    });
    const caller = makeCaller(participant.origin);
    const target = participantAt(participant.origin, { timeoutSeconds: 0.05, maxConcurrency: 1 });
    expect((await caller.call(callTo(target), NEVER)).kind).toBe('unknown');
    late[0]?.();
    const confirm = callTo({ ...target, timeoutSeconds: 5 }, { operation: 'confirm' });
    expect(await caller.call(confirm, NEVER)).toEqual({ kind: 'succeeded' });
  });

  test('a host with which no connection comes about is given up in time', async () => {
    // A TLS handshake that nobody answers: the connection stays under way, as with a packet filter.
    const server = await startSocketServer(ignore);
    const outcome = await tryAt(server.origin.replace('http:', 'https:'), 0.1);
    expect(outcome).toEqual(unknown(/^gave no answer within/));
  });
});

describe('a broken answer', () => {
  test.each([
    ['closes without a word', (socket: Socket) => socket.end(), /^the connection broke off/],
    ['resets', (socket: Socket) => socket.resetAndDestroy(), /^the connection broke off/],
    [
      'resets within its body',
      (socket: Socket) => socket.write(`${HEAD}Content-Length: 10\r\n\r\n12345`, () => socket.resetAndDestroy()),
      /^the connection broke off/,
    ],
    [
      'closes within its body',
      (socket: Socket) => socket.end(`${HEAD}Content-Length: 10\r\n\r\n12345`),
      /^the connection broke off/,
    ],
    ['speaks another protocol', (socket: Socket) => socket.end('-ERR unknown command\r\n'), /not HTTP/],
    ['sends endless headers', (socket: Socket) => socket.end(`${HEAD}x: ${'y'.repeat(70_000)}\r\n\r\n`), /header/],
    [
      'switches protocols',
      (socket: Socket) => socket.end('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
      /./,
    ],
  ] as const)('a participant that %s is unknown', async (_what, onRequest, words) => {
    const server = await startSocketServer(onRequest);
    expect(await tryAt(server.origin)).toEqual(unknown(words));
  });

  test('from a port where nobody listens is unknown', async () => {
    const participant = await startParticipant(ignore);
    await participant.stop();
    expect(await tryAt(participant.origin)).toEqual(unknown(/^refused the connection/));
  });

  test('gives the same sentence every time', async () => {
    const server = await startSocketServer((socket) => socket.resetAndDestroy());
    const caller = makeCaller(server.origin);
    const details = new Set<string>();
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const outcome = await caller.call(callTo(participantAt(server.origin), { attempt }), NEVER);
      details.add(JSON.stringify(outcome));
    }
    expect(details.size).toBe(1);
  });

  test('over https from a server that speaks plain http is unknown', async () => {
    const participant = await startServer((response) => answerState(response, 'Tried'));
    expect(await tryAt(participant.origin.replace('http:', 'https:'))).toEqual(unknown(/^the TLS handshake failed/));
  });
});

describe('a foreign answer', () => {
  test('200 without Ordertx-State is unknown', async () => {
    const participant = await startServer((response) => response.end('Welcome to nginx!'));
    expect(await tryAt(participant.origin)).toEqual(unknown(/^answered 200 without Ordertx-State/));
  });

  test('a redirect is not followed', async () => {
    const participant = await startServer((response, { path }) =>
      path.endsWith('/try')
        ? response.writeHead(307, { location: '/elsewhere' }).end()
        : answerState(response, 'Tried'),
    );
    expect(await tryAt(participant.origin)).toEqual(unknown(/^answered 307, a redirect/));
    expect(participant.requests).toHaveLength(1);
  });

  test('an interim answer is passed over for the final one', async () => {
    const participant = await startServer((response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      answerState(response, 'Tried');
    });
    expect(await tryAt(participant.origin)).toEqual({ kind: 'succeeded' });
  });
});

describe('a large body', () => {
  test('of a refusal is not read to its end: refused with a default sentence', async () => {
    const participant = await startServer((response) => {
      response.writeHead(409, { 'ordertx-state': 'Refused' });
      const chunk = Buffer.alloc(BODY_BYTES_MAX, 'x');
      const pour = () => {
        while (!response.destroyed && response.write(chunk));
        response.once('drain', pour);
      };
      pour();
    });
    expect(await tryAt(participant.origin)).toMatchObject({ kind: 'refused', code: 'refused' });
    await waitUntil(() => participant.open() === 0);
  });

  test('within the limit is read', async () => {
    const detail = 'out of stock: sku-1';
    const participant = await startServer((response) => {
      response.writeHead(409, { 'ordertx-state': 'Refused', 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'refused', detail, padding: 'x'.repeat(BODY_BYTES_MAX - 1_000) }));
    });
    expect(await tryAt(participant.origin)).toEqual({ kind: 'refused', code: 'refused', detail });
  });
});

describe('at shutdown', () => {
  test('calls that were sent end at once, as unknown, and calls that wait are withdrawn', async () => {
    const participant = await startServer(ignore);
    const caller = makeCaller(participant.origin);
    const target = participantAt(participant.origin, { timeoutSeconds: 300, maxConcurrency: 2 });
    const shutdown = new AbortController();
    const request = () => ({ ...callTo(target), withdrawn: shutdown.signal });
    const calls = Array.from({ length: 50 }, () => caller.call(request(), shutdown.signal));
    await waitUntil(() => participant.requests.length === 2);
    shutdown.abort();
    const results = await Promise.all(calls);
    for (const result of results.slice(0, 2)) expect(result).toEqual(unknown(/^the controller stopped/));
    for (const result of results.slice(2)) expect(result).toEqual({ kind: 'withdrawn' });
    const unsent = { kind: 'unsent', detail: expect.stringMatching(/^is not called: /) };
    await waitUntil(() => participant.open() === 0);
    expect(participant.requests).toHaveLength(2);
    expect(await caller.call(callTo(target), shutdown.signal)).toEqual(unsent);
    expect(participant.requests).toHaveLength(2);
  });

  test('closing the caller ends idle connections', async () => {
    const participant = await startServer((response) => answerState(response, 'Tried'));
    const caller = makeCaller(participant.origin);
    await caller.call(callTo(participantAt(participant.origin)), NEVER);
    expect(participant.open()).toBe(1);
    await caller.close();
    await waitUntil(() => participant.open() === 0);
  });

  test('a call after closing is unknown', async () => {
    const participant = await startServer((response) => answerState(response, 'Tried'));
    const caller = makeCaller(participant.origin);
    await caller.close();
    expect(await caller.call(callTo(participantAt(participant.origin)), NEVER)).toEqual(
      unknown(/^the controller stopped/),
    );
  });
});
