/**
 * A pool whose server ends a connection in the very moment in which it has made it, as one does that is being shut down.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import type { Pool } from 'pg';
import { memoryLog } from '../../testing/memory-log.ts';
import { createPool } from './pool.ts';
import { inTransaction } from './transaction.ts';

/** A message of the Postgres protocol: its letter, its length, and what it says. */
function message(letter: string, says: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + says.length);
  return Buffer.concat([Buffer.from(letter), length, says]);
}

const WELCOME_AND_FAREWELL = Buffer.concat([
  message('R', Buffer.alloc(4)), // AuthenticationOk
  message('Z', Buffer.from('I')), // ReadyForQuery
  message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0')),
]);

let server: Server;
let pool: Pool;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(WELCOME_AND_FAREWELL));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connectionString = `postgres://nobody@127.0.0.1:${String(port)}/none`;
  pool = createPool({ connectionString, applicationName: 'test', log: memoryLog().log });
});
afterAll(async () => {
  await pool.end();
  server.close();
});

test('such a connection is an error of whoever wanted it, and not the end of the process', async () => {
  await expect(inTransaction(pool, async () => 'done')).rejects.toThrow();
  await expect(pool.query('select 1')).rejects.toThrow();
});
