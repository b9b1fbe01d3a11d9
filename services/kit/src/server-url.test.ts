/** URLs with a password that is not percent-encoded are told of, and no others. */
import { describe, expect, test } from '@jest/globals';
import { postgresUrl, redisUrl } from './server-url.ts';

const PASSWORD = `p"a s#>'%/@:?é&+\\`;
const TOLD = /has to be percent-encoded/;

const said = (schema: typeof postgresUrl, text: string) =>
  schema
    .safeParse(text)
    .error?.issues.map(({ message }) => message)
    .join(', and ');

describe.each([
  ['Postgres', postgresUrl, 'postgres', '/ordertx_order?sslmode=verify-full'],
  ['Redis', redisUrl, 'rediss', '/1'],
])('of %s', (_, schema, scheme, rest) => {
  const url = (password: string) => `${scheme}://order:${password}@db.example:5432${rest}`;

  test.each(['secret', encodeURIComponent(PASSWORD)])('%s is a password', (password) => {
    expect(said(schema, url(password))).toBeUndefined();
  });

  test.each(['sec#ret', 'sec/ret', 'sec?ret', 'se@c/ret', '12#34'])('%s is to be encoded', (password) => {
    expect(said(schema, url(password))).toMatch(TOLD);
  });

  test('what it does not begin with is told, and nothing else', () => {
    expect(said(schema, 'db.example')).toMatch(/^must [^,]*:\/\/$/);
  });
});

test.each([
  'postgres://db.example/name',
  'postgresql://user:secret@/name?host=%2Fvar%2Frun',
  'postgres:///name?host=/run/pg',
  'postgres://user:100%@db/name',
  'postgres://db/name?user=user@server',
])('%s is one of Postgres, as its client has it', (url) => {
  expect(said(postgresUrl, url)).toBeUndefined();
});

test('a percent sign that begins nothing is told of by the setting, where the client of Redis would throw', () => {
  expect(said(redisUrl, 'redis://order:100%zz@redis:6379')).toMatch(TOLD);
});
