/**
 * Loaded into a process before its own code: names and ports that only a cluster knows lead to where CLUSTER_NAMES says that they are here.
 *
 * So a process runs with exactly the environment that its pod would have; what would be another pod is another process.
 */
import { Socket } from 'node:net';

interface Target {
  host?: string | undefined;
  port?: number | string;
}

/** By `<host>:<port>`, a port on this machine. */
const ports = new Map(Object.entries(JSON.parse(process.env.CLUSTER_NAMES ?? '{}') as Record<string, number>));
// eslint-disable-next-line @typescript-eslint/unbound-method -- it is applied to the socket that it is called on
const connect = Socket.prototype.connect as (...args: unknown[]) => Socket;

Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
  const [first] = args;
  const target = (Array.isArray(first) ? first[0] : first) as Target | undefined;
  const port = typeof target === 'object' ? ports.get(`${target.host}:${target.port}`) : undefined;
  if (target !== undefined && port !== undefined) Object.assign(target, { host: '127.0.0.1', port });
  return connect.apply(this, args);
};
