/** Every way in which no answer comes has a sentence that is stable and tells nothing of the error but its kind. */
import { expect, test } from '@jest/globals';
import { broken, ended, notSent, withoutToken } from './no-answer.ts';

function error(code: unknown, message = 'connect ECONNREFUSED 10.1.2.3:8080 after 3012 ms'): Error {
  return Object.assign(new Error(message), { code });
}

test.each([
  ['ECONNREFUSED', /^refused the connection/],
  ['ENOTFOUND', /^its host name is unknown/],
  ['EAI_AGAIN', /DNS/],
  ['EAI_FAIL', /DNS/],
  ['EHOSTUNREACH', /no route/],
  ['ECONNRESET', /broke off/],
  ['UND_ERR_SOCKET', /broke off/],
  ['UND_ERR_CONNECT_TIMEOUT', /no connection came about/],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', /certificate is not trusted/],
  ['CERT_HAS_EXPIRED', /certificate is not trusted/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', /certificate is not trusted/],
  ['ERR_SSL_WRONG_VERSION_NUMBER', /TLS handshake/],
  ['ESOMETHINGNEW', /ESOMETHINGNEW/],
])('%s says what to look at', (code, words) => {
  expect(broken(error(code))).toEqual({ kind: 'unknown', detail: expect.stringMatching(words) });
});

test.each(['EMFILE', 'EADDRNOTAVAIL'])('%s is a want of our own: the participant has not been asked', (code) => {
  expect(broken(error(code))).toEqual({ kind: 'unsent', detail: expect.stringMatching(/^is not called: /) });
});

test.each([
  undefined,
  null,
  'text',
  7,
  {},
  error(undefined),
  error(42),
  error('with space 17'),
  new AggregateError([]),
])('anything thrown has a sentence: %p', (thrown) => {
  expect(broken(thrown)).toMatchObject({ kind: 'unknown', detail: expect.stringContaining('no error code') });
});

test('several addresses tried in vain count as the first one', () => {
  const both = new AggregateError([error('ECONNREFUSED'), error('EHOSTUNREACH')]);
  expect(broken(both)).toEqual(broken(error('ECONNREFUSED')));
});

test('no sentence carries addresses, ports or times', () => {
  const codes = ['ECONNREFUSED', 'ENOTFOUND', 'ECONNRESET', 'ESOMETHINGNEW', undefined];
  const outcomes = [
    ...codes.map((code) => broken(error(code))),
    ended('timedOut'),
    ended('aborted'),
    withoutToken(),
    notSent(),
  ];
  for (const outcome of outcomes) expect(JSON.stringify(outcome)).not.toMatch(/[0-9]/);
});
