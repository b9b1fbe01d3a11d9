/**
 * A TCP proxy on 127.0.0.1 that breaks connections in the ways networks do.
 *
 * It forwards bytes and knows no protocol, so what goes through is the real thing, TLS included.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type Fault =
  /** New connections and open ones are reset. */
  | 'cut'
  /** Connections stay open, requests arrive, answers never come: a half-open connection, a lost answer. */
  | 'answers-lost';

export interface TcpProxy {
  readonly port: number;
  /** Everything is as `fault` says until `heal`. */
  readonly break: (fault: Fault) => void;
  /** From now on what the server says comes this much later; a new connection's TLS handshake does not. */
  readonly delayAnswers: (ms: number) => void;
  /** New connections work again. Those that lost bytes never do: they are reset. */
  readonly heal: () => void;
  /** Resets what is open, once; new connections work. */
  readonly cutOnce: () => void;
  /** What is open stays open and swallows every byte of both sides from now on; new connections work. */
  readonly swallowOpen: () => void;
  /** Ends the fault for connections that are made from now on, and leaves those that are open as they are. */
  readonly letNewOnesWork: () => void;
  /** Bytes that have been sent towards the server since the start. */
  readonly bytesForwarded: () => number;
  readonly openConnections: () => number;
  /** How many connections were ever made through it. */
  readonly connectionsMade: () => number;
  readonly close: () => Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [client: Socket, server: Socket]>();
  const swallowing = new WeakSet<readonly [client: Socket, server: Socket]>();
  let fault: Fault | undefined;
  let delayMs = 0;
  let forwarded = 0;
  let made = 0;

  const listener = createServer((client) => {
    made += 1;
    if (fault === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const server = connect(targetPort, '127.0.0.1');
    const pair = [client, server] as const;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    // A TLS client speaks twice before it asks for anything: its hello, and that it has finished.
    let clientSpoke = 0;
    const answer = delayed((bytes) => client.write(bytes));
    client.on('data', (bytes) => {
      if (swallowing.has(pair)) return;
      forwarded += bytes.length;
      clientSpoke += 1;
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (fault === 'answers-lost' || swallowing.has(pair)) return;
      answer(bytes, clientSpoke < 2 ? 0 : delayMs);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));

  const cutOnce = (): void => {
    for (const [client] of pairs) client.resetAndDestroy();
  };
  return {
    port: (listener.address() as AddressInfo).port,
    break: (next) => {
      fault = next;
      if (next === 'cut') cutOnce();
    },
    delayAnswers: (ms) => {
      delayMs = ms;
    },
    heal: () => {
      if (fault === 'answers-lost') cutOnce();
      fault = undefined;
    },
    cutOnce,
    swallowOpen: () => {
      for (const pair of pairs) swallowing.add(pair);
    },
    letNewOnesWork: () => {
      fault = undefined;
    },
    bytesForwarded: () => forwarded,
    openConnections: () => pairs.size,
    connectionsMade: () => made,
    close: () =>
      new Promise((resolve) => {
        cutOnce();
        listener.close(() => resolve());
      }),
  };
}

/** Passes bytes on when they are due, in their order, also when the delay has changed meanwhile. */
function delayed(passOn: (bytes: Buffer) => void): (bytes: Buffer, delayMs: number) => void {
  const waiting: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  const passDue = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const leftMs = next.dueMs - performance.now();
      if (leftMs > 0) {
        setTimeout(passDue, leftMs);
        return;
      }
      passOn(next.bytes);
      waiting.shift();
    }
  };
  return (bytes, delayMs) => {
    waiting.push({ bytes, dueMs: performance.now() + delayMs });
    if (waiting.length === 1) passDue();
  };
}
