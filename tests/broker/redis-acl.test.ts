/**
 * The rights in redis-acl.yaml fit what the flows send and who the services are.
 */
import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { SERVICES } from '../../local/services.ts';
import { RIGHTS } from './redis-users.ts';

const FLOWS = join(import.meta.dirname, '../../crds/flows');

/** The streams on which the user may use the command. */
function streamsOf(user: string, command: string): readonly string[] {
  return (RIGHTS.users[user] ?? [])
    .filter((rule) => rule.split(/[ ()]/).includes(command))
    .flatMap((rule) => [...rule.matchAll(/~ordertx:messages:(\S+)/g)].map(([, stream = '']) => stream))
    .toSorted();
}

test('the controller may send what the flows say, and nothing else', () => {
  const streams = readdirSync(FLOWS).flatMap((file) => {
    const { spec } = parse(readFileSync(join(FLOWS, file), 'utf8')) as TransactionFlow;
    return (spec.messages ?? []).map(({ stream }) => stream);
  });
  expect(streamsOf('controller', '+xadd')).toEqual([...new Set(streams)].toSorted());
});

test('every service but inventory has a user, and hears one stream, of its own name', () => {
  const users = Object.keys(RIGHTS.users).filter((user) => user !== 'controller');
  const services = SERVICES.map(({ name }) => name).filter((name) => name !== 'inventory');
  expect(users.toSorted()).toEqual(services.toSorted());
  expect(users.map((user) => streamsOf(user, '+xreadgroup'))).toEqual(users.map((user) => [user]));
});

test('every right is in brackets, with the keys that it is for', () => {
  const rules = Object.values(RIGHTS.users).flat();
  expect(rules.filter((rule) => !/^\((%W)?~ordertx:\S+( (%W)?~ordertx:\S+)*( \+[a-z|]+)+\)$/.test(rule))).toEqual([]);
  expect(RIGHTS.everyone.filter((rule) => /[~&>]|allkeys|nopass/.test(rule))).toEqual([]);
});
