/**
 * Why there is no answer, in words.
 *
 * Whatever ends a call without an answer leaves it unknown: the participant may or may not have acted. The sentences
 * follow the rules of classify.ts: stable, and saying what to do next. An error's own message is never passed on: it
 * carries addresses, ports and byte counts that change from attempt to attempt.
 */
import { errors } from 'undici';
import { HOST_UNKNOWN, NOT_CALLED, type Outcome } from '../transaction/outcome.ts';
import type { End } from './deadline.ts';

export function ended(end: End): Outcome {
  switch (end) {
    case 'timedOut':
      return unknown(
        "gave no answer within the participant's timeoutSeconds: is it overloaded, or waiting for its database?",
      );
    case 'aborted':
      return unknown('the controller stopped before the answer came: its successor asks again');
  }
}

/** Nobody was asked: what was missing was ours. */
export function withoutToken(): Outcome {
  return unsent('the API server gave no token for it: may the controller create tokens for its own service account?');
}

/** The call's waiting ended before it was sent. */
export function notSent(): Outcome {
  return unsent('the controller stopped before there was a place for it');
}

/** @param error what undici, node:net, node:dns or node:tls ended the exchange with */
export function broken(error: unknown): Outcome {
  // Its code is undefined in undici 8.12, so it is known by its class.
  if (error instanceof errors.HTTPParserError) return unknown(NOT_HTTP);
  const code = codeOf(error);
  if (code !== undefined) {
    const missing = UNSENT_BY_CODE[code];
    if (missing !== undefined) return unsent(missing);
    const known = BY_CODE[code] ?? BY_KIND.find(({ pattern }) => pattern.test(code))?.detail;
    if (known !== undefined) return unknown(known);
  }
  return unknown(`the connection failed (${code ?? 'no error code'}): is the flow's endpoint right?`);
}

const NOT_HTTP = 'answered something that is not HTTP/1.1: does its port speak plain http?';
const UNREACHABLE = 'there is no route to it: do its address and the network policies fit?';
const BROKE_OFF = 'the connection broke off before the answer was complete: did it restart? read its log';
const SLOW_TO_CONNECT = 'no connection came about in time: is it running, and do the network policies fit?';

const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection: is it running and listening on the port in the flow?',
  ENOTFOUND: `${HOST_UNKNOWN}: does the flow's endpoint name an existing service and namespace?`,
  EAI_AGAIN: 'its host name could not be looked up: is the DNS available?',
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ECONNRESET: BROKE_OFF,
  ECONNABORTED: BROKE_OFF,
  EPIPE: BROKE_OFF,
  UND_ERR_SOCKET: BROKE_OFF,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: BROKE_OFF,
  ETIMEDOUT: SLOW_TO_CONNECT,
  UND_ERR_CONNECT_TIMEOUT: SLOW_TO_CONNECT,
  UND_ERR_HEADERS_OVERFLOW: 'answered with more header bytes than are read: is this the participant?',
  UND_ERR_DESTROYED: 'the controller stopped before the answer came: its successor asks again',
  UND_ERR_CLOSED: 'the controller stopped before the answer came: its successor asks again',
  EPROTO: 'the TLS handshake failed: does its port speak https?',
};

/** Of our own, before a connection came about: the participant has not been asked. */
const UNSENT_BY_CODE: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'the controller has no free local port left: lower maxConcurrency or add replicas',
  EMFILE: 'the controller has no free file descriptor left: raise its limit or lower maxConcurrency',
};

const BY_KIND: readonly { readonly pattern: RegExp; readonly detail: string }[] = [
  {
    pattern: /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT)/,
    detail:
      'its TLS certificate is not trusted: does it name the host, is it in date, and is its issuer in NODE_EXTRA_CA_CERTS?',
  },
  { pattern: /^(ERR_TLS_|ERR_SSL_)/, detail: 'the TLS handshake failed: does its port speak https?' },
  { pattern: /^EAI_/, detail: 'its host name could not be looked up: is the DNS available?' },
];

/** Several addresses tried in vain come as one AggregateError; its first error tells enough. */
function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code)) return code;
  return error instanceof AggregateError ? codeOf(error.errors[0]) : undefined;
}

function unknown(detail: string): Outcome {
  return { kind: 'unknown', detail };
}

function unsent(detail: string): Outcome {
  return { kind: 'unsent', detail: `${NOT_CALLED}${detail}` };
}
