/**
 * What is counted on the wire is what was asked, however its bytes were cut.
 */
import { expect, test } from '@jest/globals';
import { PostgresWire, type PostgresCounts } from './postgres-wire.ts';
import { RedisWire } from './redis-wire.ts';

function message(type: string, body: Buffer | string): Buffer {
  const content = Buffer.from(body);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length + 4);
  return Buffer.concat([Buffer.from(type), length, content]);
}

const STARTUP = message('', Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from('user\0me\0database\0shop\0\0')]));
const QUERY = message('Q', 'begin\0');
const EXTENDED = Buffer.concat([message('B', 'x'), message('E', 'x'), message('S', '')]);
const ready = (status: string): Buffer => message('Z', status);

/** What was said in turn, with every chunk cut into single bytes. */
function counted(said: readonly (readonly ['client' | 'server', Buffer])[]): Readonly<Record<string, PostgresCounts>> {
  const counts: Record<string, PostgresCounts> = {};
  const wire = new PostgresWire((name) => (counts[name] ??= { roundTrips: 0, statements: 0, transactions: 0 }));
  for (const [who, bytes] of said) {
    for (const byte of bytes) {
      if (who === 'client') wire.fromClient(Buffer.from([byte]));
      else wire.fromServer(Buffer.from([byte]));
    }
  }
  return counts;
}

test('statements that wait for each other’s answers are a round trip each, and the commit ends one database transaction', () => {
  const counts = counted([
    ['client', STARTUP],
    ['server', ready('I')],
    ['client', QUERY],
    ['server', ready('T')],
    ['client', EXTENDED],
    ['server', ready('T')],
    ['client', QUERY],
    ['server', ready('I')],
  ]);
  expect(counts.shop).toEqual({ roundTrips: 3, statements: 3, transactions: 2 });
});

test('statements that travel together are one round trip', () => {
  const counts = counted([
    ['client', STARTUP],
    ['server', ready('I')],
    ['client', Buffer.concat([QUERY, EXTENDED])],
    ['server', Buffer.concat([ready('T'), ready('T')])],
    ['client', QUERY],
    ['server', ready('I')],
  ]);
  expect(counts.shop).toEqual({ roundTrips: 2, statements: 3, transactions: 2 });
});

test('commands to Redis are counted by name, also where one ends in the middle of a chunk', () => {
  const counts = new Map<string, number>();
  const wire = new RedisWire(counts);
  const bytes = Buffer.from('*2\r\n$4\r\nxadd\r\n$3\r\n*1\r\r\n*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nXADD\r\n$0\r\n\r\n');
  for (const byte of bytes) wire.fromClient(Buffer.from([byte]));
  expect(Object.fromEntries(counts)).toEqual({ XADD: 2, PING: 1 });
});
