/**
 * A small participant in memory, for the tool's own tests: right as it stands, and made of parts that a test can put faults
 * into, one at a time.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  HEADERS,
  isOperation,
  parseTransaction,
  PROBLEM_MEDIA_TYPE,
  type FenceState,
  type Operation,
  type ProblemCode,
  type StoredState,
} from '../../services/protocol/src/index.ts';

export const LOOPBACK_BRANCH = 'loopback';
const LOOPBACK_PATH = '/tcc/create-order';
export const LOOPBACK_TOKEN = 'header.claims.signature';
const NAMESPACE = 'default';
const BODY_BYTES_MAX = 128 * 1024;
/** What a try has for an order; a larger one is refused. */
const CENTS_MAX = 1_000_000;

export interface Call {
  readonly operation: Operation;
  readonly headers: IncomingHttpHeaders;
  /** Undefined: too large, and not read. */
  readonly text: string | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface Row {
  readonly state: StoredState;
  readonly digest: string | undefined;
  /** What the try was answered with. */
  readonly answer: string;
  readonly refusal: string;
}

/** What a call does to a branch: an answer, and the row it leaves (undefined leaves things as they are). */
export interface Step {
  readonly reply: Reply;
  readonly store?: Row;
}

export interface Parts {
  /** Turns away what is not a call of this branch. */
  admit(call: Call): Reply | undefined;
  /** The payload; undefined where it cannot be read. */
  read(call: Call): unknown;
  digestOf(payload: unknown, text: string): string;
  /** Whether the row is of this payload. */
  isSame(row: Row, digest: string, operation: Operation): boolean;
  step(row: Row | undefined, operation: Operation, payload: unknown, digest: string | undefined): Step;
  /** The last look at an answer before it goes out; undefined sends none. */
  send(reply: Reply, call: Call): Reply | undefined;
  /** Between looking at the row and writing it; undefined for at once. */
  pause: (() => Promise<unknown>) | undefined;
  readonly bodyBytesMax: number;
}

export function done(state: FenceState, text = '{}'): Reply {
  return { status: 200, headers: { [HEADERS.state]: state, 'content-type': 'application/json' }, text };
}

export function refused(code: ProblemCode, state: FenceState, detail = `This is ${code}.`): Reply {
  const headers = { [HEADERS.state]: state, 'content-type': PROBLEM_MEDIA_TYPE };
  return { status: 409, headers, text: JSON.stringify({ title: code, status: 409, code, detail }) };
}

export function turnedAway(status: number): Reply {
  return { status, headers: { 'content-type': PROBLEM_MEDIA_TYPE }, text: JSON.stringify({ title: 'no', status }) };
}

let answers = 0;

export const RIGHT_PARTS: Parts = {
  admit({ operation, headers }) {
    const transaction = parseTransaction(String(headers[HEADERS.transaction]));
    if (transaction === undefined || headers[HEADERS.operation] !== operation) return turnedAway(400);
    if (headers[HEADERS.branch] !== LOOPBACK_BRANCH) return turnedAway(421);
    return transaction.namespace === NAMESPACE ? undefined : turnedAway(403);
  },
  read: ({ text }) => {
    try {
      return JSON.parse(text ?? '') as unknown;
    } catch {
      return undefined;
    }
  },
  digestOf: (payload) => createHash('sha256').update(canonical(payload)).digest('hex'),
  isSame: (row, digest, operation) => operation === 'cancel' || row.digest === undefined || row.digest === digest,
  step(row, operation, payload, digest) {
    const state = row?.state ?? 'None';
    switch (`${state} ${operation}` as const) {
      case 'None try':
        return runTry(payload, digest);
      case 'None confirm':
        return { reply: refused('no-try', 'None') };
      case 'Tried confirm':
        return end(row, 'Confirmed');
      case 'None cancel':
      case 'Tried cancel':
      case 'Refused cancel':
      case 'Cancelled cancel':
        return end(row, 'Cancelled');
      case 'Tried try':
      case 'Confirmed try':
      case 'Confirmed confirm':
        return { reply: done(state, row?.answer) };
      case 'Refused try':
      case 'Refused confirm':
        return { reply: refused('refused', 'Refused', row?.refusal) };
      case 'Confirmed cancel':
        return { reply: refused('already-confirmed', 'Confirmed') };
      case 'Cancelled try':
        return { reply: refused('cancelled', 'Cancelled') };
      case 'Cancelled confirm':
        return { reply: refused('already-cancelled', 'Cancelled') };
    }
  },
  send: (reply) => reply,
  pause: undefined,
  bodyBytesMax: BODY_BYTES_MAX,
};

/** Each try that runs has an answer of its own, so that a replay can be told from another run. */
export function runTry(payload: unknown, digest: string | undefined): Step {
  const { totalCents } = { totalCents: undefined, ...(payload as { readonly totalCents?: unknown }) };
  if (typeof totalCents !== 'number' || totalCents > CENTS_MAX) {
    const refusal = `${String(totalCents)} cents are too many.`;
    const row: Row = { state: 'Refused', digest, answer: '', refusal };
    return { reply: refused('refused', 'Refused', refusal), store: row };
  }
  answers += 1;
  const answer = JSON.stringify({ held: answers });
  return { reply: done('Tried', answer), store: { state: 'Tried', digest, answer, refusal: '' } };
}

export function end(row: Row | undefined, state: 'Confirmed' | 'Cancelled'): Step {
  const store: Row = { digest: undefined, answer: '', refusal: '', ...row, state };
  return { reply: done(state), store };
}

/** Enough of RFC 8785 for what JSON.parse has read: numbers and strings are written the one way JavaScript knows. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

export interface LoopbackParticipant {
  /** Endpoint and path. */
  readonly url: string;
  close(): Promise<void>;
}

/** The parts are read at each call. */
export async function runLoopbackParticipant(parts: Parts): Promise<LoopbackParticipant> {
  const rows = new Map<string, Row>();
  const server = createServer((request, response) => {
    void answerTo(request, parts, rows).then((reply) => {
      if (reply === undefined) return;
      // What was not read must not become the next request.
      const unread = request.complete ? {} : { connection: 'close' };
      response.writeHead(reply.status, { ...reply.headers, ...unread }).end(reply.text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}${LOOPBACK_PATH}`, close: () => closed(server) };
}

async function answerTo(request: IncomingMessage, parts: Parts, rows: Map<string, Row>): Promise<Reply | undefined> {
  const text = await readBody(request, parts.bodyBytesMax);
  const operation = request.url?.startsWith(`${LOOPBACK_PATH}/`) ? request.url.slice(LOOPBACK_PATH.length + 1) : '';
  if (!isOperation(operation)) return turnedAway(404);
  const call: Call = { operation, headers: request.headers, text };
  return parts.send(parts.admit(call) ?? (await passFence(call, parts, rows)), call);
}

async function passFence(call: Call, parts: Parts, rows: Map<string, Row>): Promise<Reply> {
  const { operation, headers, text } = call;
  const payload = parts.read(call);
  if (payload === undefined && operation !== 'cancel') return turnedAway(text === undefined ? 413 : 400);
  const digest = payload === undefined ? undefined : parts.digestOf(payload, text ?? '');
  const key = `${String(headers[HEADERS.transaction])} ${String(headers[HEADERS.branch])}`;
  const row = rows.get(key);
  if (row !== undefined && !parts.isSame(row, digest ?? '', operation)) return refused('payload-mismatch', row.state);
  const { reply, store } = parts.step(row, operation, payload, digest);
  if (parts.pause !== undefined) await parts.pause();
  if (store !== undefined) rows.set(key, store);
  return reply;
}

/** Undefined beyond the limit; the rest stays unread. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
