/**
 * The file of users that the chart renders, as a real Redis takes it: loaded at its start, or line by line while it runs. What each user may
 * do and may not is least-rights.real.test.ts, with the same file.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { exec } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { startRedis } from '../../local/redis.ts';
import { pageCommands } from '../world/page-commands.ts';
import { adminLine, hashOf, renderedAcl } from './rendered-acl.ts';
import { RIGHTS } from './redis-users.ts';

const START_MS = 900_000;
const PASSWORD = 'of-the-admin';
const ADMIN = adminLine('admin', PASSWORD);
const OLD = 'a password that was';
const NEW = 'a password that comes';

let group: ProcessGroup;
let another: ProcessGroup;
/** Of a Redis that has read the file at its start. */
let port: number;
let file: string;
const connections: Redis[] = [];
beforeAll(async () => {
  [group, another] = await Promise.all([openProcessGroup(), openProcessGroup()]);
  file = await renderedAcl({
    passwordHashes: { controller: [hashOf(NEW)], order: [hashOf(OLD), hashOf(NEW)], loyalty: [hashOf(NEW)] },
    ...{ streams: ['loyalty'], extraUsers: [ADMIN] },
  });
  const users = { acl: file, admin: 'admin', password: PASSWORD };
  const redis = await startRedis(group, { url: '', users });
  port = redis.kind === 'own' ? redis.port : 0;
}, START_MS);
afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect();
});
afterAll(() => Promise.all([group.close(), another.close()]));

function as(username: string, password: string, at = port): Redis {
  const once = { retryStrategy: () => null, maxRetriesPerRequest: 0, enableReadyCheck: false };
  const connection = new Redis({ port: at, username, password, ...once });
  connection.on('error', () => undefined);
  connections.push(connection);
  return connection;
}

const letIn = (user: string, password: string): Promise<string> => as(user, password).ping().catch(String);

test('a user without a password is there, and nobody is let in as him', async () => {
  const users = (await as('admin', PASSWORD).call('ACL', 'USERS')) as string[];
  expect(users.toSorted()).toEqual([...Object.keys(RIGHTS.users), 'admin', 'default', 'loyalty'].toSorted());
  for (const user of ['wms', 'payment', 'default'])
    for (const password of ['x', NEW]) expect(await letIn(user, password)).toMatch(/WRONGPASS|NOAUTH/);
});

test('while a password is replaced the old one and the new one count', async () => {
  expect(await letIn('order', OLD)).toBe('PONG');
  expect(await letIn('order', NEW)).toBe('PONG');
  expect(await letIn('controller', NEW)).toBe('PONG');
  expect(await letIn('controller', OLD)).toMatch('WRONGPASS');
});

test('to a stream of one’s own the controller sends, and its user hears that one and answers', async () => {
  const [controller, loyalty] = [as('controller', NEW), as('loyalty', NEW)];
  await controller.xadd('ordertx:messages:loyalty', '*', 'event', '{}');
  await loyalty.xgroup('CREATE', 'ordertx:messages:loyalty', 'loyalty', '0');
  const heard = await loyalty.xreadgroup('GROUP', 'loyalty', 'me', 'STREAMS', 'ordertx:messages:loyalty', '>');
  expect(heard).toHaveLength(1);
  await loyalty.xadd('ordertx:receipts:controller-1', '*', 'receipt', '{}');
  for (const attempt of [
    () => loyalty.xadd('ordertx:messages:loyalty', '*', 'event', '{}'),
    () => loyalty.xadd('ordertx:messages:payment', '*', 'event', '{}'),
    () => loyalty.xadd('ordertx:receipts:payment-1', '*', 'receipt', '{}'),
    () => loyalty.xread('STREAMS', 'ordertx:messages:member', '0'),
    () => loyalty.xread('STREAMS', 'ordertx:receipts:controller-1', '0'),
  ])
    await expect(attempt()).rejects.toThrow('NOPERM');
});

test('in another numbered database the rights are the same, so it keeps no release from another', async () => {
  const loyalty = as('loyalty', NEW);
  await loyalty.select(1);
  await loyalty.xadd('ordertx:receipts:controller-1', '*', 'receipt', '{}');
  await expect(loyalty.xadd('ordertx:messages:payment', '*', 'event', '{}')).rejects.toThrow('NOPERM');
});

test('a Redis that runs takes it line by line, as the page says, and has the same users then', async () => {
  const before = `user default off\n${ADMIN}\nuser order on nopass ~* +@all (~everything +get)\n`;
  const running = await startRedis(another, { url: '', users: { acl: before, admin: 'admin', password: PASSWORD } });
  const admin = as('admin', PASSWORD, running.kind === 'own' ? running.port : 0);
  const command = pageCommands('docs/operating/broker.md').find((line) => line.startsWith('sed '));
  const [sed = '', cli] = command?.split(' | ') ?? [];
  expect(cli).toMatch(/^redis-cli /);
  await writeFile(join(another.folder, 'users.acl'), file);
  const { stdout } = await promisify(exec)(sed, { cwd: another.folder });
  for (const line of stdout.trim().split('\n')) {
    const [name = '', ...args] = line.split(' ');
    expect(await admin.call(name, ...args)).toBe('OK');
  }
  expect(await usersOf(admin)).toEqual(await usersOf(as('admin', PASSWORD)));
});

/** Everybody's rights in an order that does not depend on which came first, of each selector apart. */
async function usersOf(admin: Redis): Promise<readonly unknown[]> {
  const lines = (await admin.call('ACL', 'LIST')) as string[];
  const sorted = (words: string) =>
    words
      .split(' ')
      // A Redis that has read a file leaves it out, which means the same.
      .filter((word) => word !== 'sanitize-payload' && word !== '')
      .toSorted();
  return lines.toSorted().map((line) => ({
    own: sorted(line.replaceAll(/\(.*?\)/g, '')),
    selectors: [...line.matchAll(/\((.*?)\)/g)].map(([, words = '']) => sorted(words)),
  }));
}
