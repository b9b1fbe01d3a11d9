/**
 * A TCP proxy on 127.0.0.1 that lets every byte through and shows it to whoever counts.
 */
import { connect, createServer, type AddressInfo } from 'node:net';

/** Of one connection. */
export interface Wire {
  fromClient(bytes: Buffer): void;
  fromServer?(bytes: Buffer): void;
}

export interface CountingProxy {
  readonly port: number;
  close(): void;
}

export async function startCountingProxy(targetPort: number, open: () => Wire): Promise<CountingProxy> {
  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    const wire = open();
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.on('data', (bytes) => {
      wire.fromClient(bytes);
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      wire.fromServer?.(bytes);
      client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return { port: (listener.address() as AddressInfo).port, close: () => void listener.close() };
}
