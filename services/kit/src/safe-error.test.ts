/**
 * No secret in a log: every shape of error that a client of ours throws, wherever it stands in a line.
 */
import { expect, test } from '@jest/globals';
import { errors } from 'undici';
import { DatabaseError } from 'pg';
import { memoryLog } from '../testing/memory-log.ts';
import { withoutSecrets } from './safe-error.ts';

const SECRET = 'pa55-w0rd';

/** As ioredis makes them: the command that failed hangs on the error. */
function loginError(): Error {
  const command = { name: 'hello', args: ['3', 'AUTH', 'default', SECRET] };
  return Object.assign(new Error('WRONGPASS invalid username-password pair or user is disabled.'), { command });
}

function rowError(): Error {
  const error = new DatabaseError('duplicate key value violates unique constraint "orders_pkey"', 1, 'error');
  return Object.assign(error, {
    code: '23505',
    detail: `Key (id)=(${SECRET}) already exists.`,
    where: `SQL statement "insert … ${SECRET}"`,
    internalQuery: SECRET,
    constraint: 'orders_pkey',
  });
}

const shapes: Readonly<Record<string, unknown>> = {
  'a failed login': loginError(),
  'a cause': new Error('messages cannot be read', { cause: loginError() }),
  'a cause of a cause': new Error('one', { cause: new Error('two', { cause: loginError() }) }),
  'several errors at once': new AggregateError([loginError(), rowError()], 'nothing worked'),
  'errors that commands of a pipeline ended with': Object.assign(new Error('EXECABORT'), {
    previousErrors: [loginError()],
  }),
  'what is no error, thrown as a cause': new Error('odd', { cause: { args: [SECRET] } }),
  'a row that broke a constraint': rowError(),
  'an unreadable URL': Object.assign(new TypeError('Invalid URL'), { input: `redis://:${SECRET}@` }),
  'a request that failed': Object.assign(new errors.SocketError('other side closed'), {
    request: { headers: { authorization: `Bearer ${SECRET}` } },
  }),
  'a sentence that quotes a URL': new Error(`connect to postgres://order:${SECRET}@db:5432/order failed`),
  'a sentence that quotes a login': new Error(
    `ERR unknown command 'AUTH', with args beginning with: 'default' '${SECRET}'`,
  ),
};

test.each(Object.entries(shapes))('%s: its secret is not in the line, what went wrong is', (_what, error) => {
  const { log, lines } = memoryLog();
  log.error({ err: error, step: { error, all: [error] } }, `it failed: redis://default:${SECRET}@redis:6379/3`);
  log.error(error);
  expect(JSON.stringify(lines)).not.toContain(SECRET);
  expect(lines[0]).toMatchObject({
    msg: 'it failed: redis://***@redis:6379/3',
    err: { message: expect.any(String), stack: expect.stringContaining('at ') },
  });
  expect(lines[1]).toMatchObject({ err: { type: (error as Error).constructor.name } });
});

test('what helps to find the fault stays: codes, constraints, causes', () => {
  const { log, lines } = memoryLog();
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', port: 6379 });
  log.error({ err: new Error('away', { cause: refused }), left: 3 }, 'away');
  log.error({ err: rowError() }, 'no');
  expect(lines[0]).toMatchObject({ left: 3, err: { message: 'away', cause: { code: 'ECONNREFUSED', port: 6379 } } });
  expect(lines[1]).toMatchObject({ err: { code: '23505', constraint: 'orders_pkey' } });
});

test('a URL keeps everything but who logs in with what', () => {
  expect(withoutSecrets(`a rediss://u:p@ss@h:1/2 and http://h/x?y=a@b, mailto:a@b`)).toBe(
    'a rediss://***@h:1/2 and http://h/x?y=a@b, mailto:a@b',
  );
});
