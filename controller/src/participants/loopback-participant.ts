/**
 * A participant for tests: a real HTTP server on loopback that answers as each test says, and calls to make to it.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { Participant } from '../../../crds/generated/transactionflow.ts';
import { systemClock } from '../runtime/clock.ts';
import type { BranchCall, CallRequest } from '../reconcile/ports.ts';
import { ParticipantCaller, type CallerSettings } from './caller.ts';

export interface ReceivedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface LoopbackParticipant {
  readonly origin: string;
  /** Complete requests, in the order they came. */
  readonly requests: ReceivedRequest[];
  /** Connections accepted so far. */
  accepted(): number;
  /** Connections open now. */
  open(): number;
  stop(): Promise<void>;
}

type Answer = (response: ServerResponse, request: ReceivedRequest) => unknown;

export async function startParticipant(answer: Answer): Promise<LoopbackParticipant> {
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const received = { path: request.url ?? '', headers: request.headers, body };
      requests.push(received);
      answer(response, received);
    });
  });
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    accepted: () => accepted,
    open: () => sockets.size,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export function answerState(response: ServerResponse, state: string, status = 200): void {
  response.writeHead(status, { 'ordertx-state': state }).end();
}

export const TRANSACTION: OrderTransaction = {
  apiVersion: 'ordertx.dev/v1alpha1',
  kind: 'OrderTransaction',
  metadata: { name: 'create-o1', namespace: 'shop', uid: '2f7a7f6e-3f0a-4c57-9d7c-0c9f8f1f7a11' },
  spec: {
    flow: 'create-order',
    orderId: 'o1',
    payload: { orderId: 'o1' },
    suspend: false,
    cancelRequested: false,
    resolutions: [],
  },
};

export function participantAt(origin: string, changes: Partial<Participant> = {}): Participant {
  return {
    name: 'inventory',
    path: '/tcc/create-order',
    timeoutSeconds: 5,
    maxConcurrency: 64,
    endpoint: { url: origin },
    ...changes,
  };
}

export function branchCallTo(participant: Participant, changes: Partial<BranchCall> = {}): BranchCall {
  return {
    transaction: TRANSACTION,
    participant,
    operation: 'try',
    attempt: 1,
    overdue: false,
    requested: false,
    ...changes,
  };
}

/** A call that stays wanted, and as it is. */
export function callTo(participant: Participant, changes: Partial<BranchCall> = {}): CallRequest {
  const call = branchCallTo(participant, changes);
  return { current: () => call, sent: () => undefined, withdrawn: new AbortController().signal };
}

/** A caller that may call the origins given, without tokens. */
export function callerFor(origins: readonly string[], changes: Partial<CallerSettings> = {}): ParticipantCaller {
  return new ParticipantCaller({
    allowed: { origins: new Set(origins), services: new Set() },
    clock: systemClock,
    ...changes,
  });
}
