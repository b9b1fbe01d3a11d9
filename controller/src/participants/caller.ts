/**
 * Calls participants: the controller's only way out to services.
 *
 * From a flow's participant to an Outcome, in order: does the payload fit, may it be called (endpoint.ts), a place at the
 * endpoint (limits.ts, breaker.ts), token, exchange, and what the answer means (classify.ts, no-answer.ts).
 *
 * 1. It resolves, never rejects: whatever happens on the way is a value.
 * 2. A call that is forbidden or too large is never sent, and takes no place at its endpoint.
 * 3. The participant's timeoutSeconds run over connection, headers and body. Waiting for a place and for a token does not
 *    count: it says nothing about the participant's answer. What ends in that waiting was not sent, and says so.
 * 4. A 401 may mean that the token is not good any more, whatever our clock says: it is thrown away, and the call made
 *    once more with a new one.
 * 5. What is sent is the call as it is at that moment. After each wait, for the place and for the token, it is looked at
 *    again: one that is not wanted any more is withdrawn, one whose endpoint was changed waits for a place at the new one.
 * 6. What was sent tells the endpoint's breaker of life or of none (sign-of-life.ts); what was not tells it nothing.
 */
import { Agent, type Dispatcher } from 'undici';
import type { Participant } from '../../../crds/generated/transactionflow.ts';
import { stringifyAnyDepth } from '../../../services/protocol/src/deep-json.ts';
import type { BranchCall, CallRequest, CallResult, Health, Participants } from '../reconcile/ports.ts';
import type { Clock } from '../runtime/clock.ts';
import { NOT_CALLED, type Operation, type Outcome } from '../transaction/outcome.ts';
import type { AllowList } from './allow-list.ts';
import { classify } from './classify.ts';
import { Deadline, unlessEnded } from './deadline.ts';
import { resolveEndpoint, type ResolvedEndpoint } from './endpoint.ts';
import { exchange, type Exchange } from './exchange.ts';
import type { Sign } from './breaker.ts';
import { EndpointLimits, rankOf, type Claim, type EndpointHealth, type LimitsSettings } from './limits.ts';
import { broken, ended, notSent, withoutToken } from './no-answer.ts';
import { requestHeaders } from './request-headers.ts';
import { signOfLife } from './sign-of-life.ts';
import { startTrace } from './trace.ts';

/** [fixed] A payload above it is never sent. Small enough for every proxy's and etcd's own limits, large for a list of ids. */
export const PAYLOAD_BYTES_MAX = 65_536;

/**
 * A host that swallows packets is given up after this, also where a participant's timeoutSeconds are longer. A shorter
 * one would give up where a lost DNS packet costs 5 s.
 */
export const CONNECT_TIMEOUT_MS = 10_000;

/** Above what a request to the API server may take, so that the token source's own limit comes first. */
const TOKEN_MS_MAX = 15_000;

/** Service-account tokens for participants. */
export interface Tokens {
  /** A token that is valid for some time yet; rejects when none can be had. */
  get(audience: string): Promise<string>;
  /**
   * A participant did not accept this one: it is not handed out again. Says whether asking for another is worth while; it
   * is not where the last one was dropped just now, because then it is not the token that is wrong.
   */
  drop(audience: string, token: string): boolean;
}

export interface CallReport {
  readonly participant: string;
  readonly operation: Operation;
  readonly outcome: Outcome['kind'];
  /** From the moment it had its place at the endpoint. */
  readonly seconds: number;
}

export interface CallerSettings {
  readonly allowed: AllowList;
  /** Absent with ORDERTX_AUTH=off: calls carry no Authorization. */
  readonly tokens?: Tokens;
  readonly clock: Clock;
  /** How long a token is waited for; default TOKEN_MS_MAX. */
  readonly tokenMs?: number;
  /** After each call that had its place at the endpoint and was not withdrawn then. */
  readonly onCall?: (report: CallReport) => void;
  /** An endpoint has been found to answer nobody, or to answer again. */
  readonly onBreaker?: LimitsSettings['onBreaker'];
}

type Target = Extract<ResolvedEndpoint, { kind: 'allowed' }>;

export class ParticipantCaller implements Participants {
  readonly #settings: CallerSettings;
  readonly #limits: EndpointLimits;
  readonly #agent = createAgent();
  /** Flows are replaced, never changed in place, so a participant's object stands for its endpoint. */
  readonly #endpoints = new WeakMap<Participant, { namespace: string; resolved: ResolvedEndpoint }>();

  constructor(settings: CallerSettings) {
    this.#settings = settings;
    this.#limits = new EndpointLimits(settings);
  }

  async call(request: CallRequest, signal: AbortSignal): Promise<CallResult> {
    let call = request.current();
    if (!call) return WITHDRAWN;
    // The payload is immutable: how long it is need not be looked at again.
    let body: Buffer | undefined = bodyOf(call);
    if (body.length > PAYLOAD_BYTES_MAX) return PAYLOAD_TOO_LARGE;
    while (call) {
      const target = this.#resolve(namespaceOf(call), call.participant);
      if (target.kind === 'forbidden') return { kind: 'blocked', reason: 'EndpointForbidden', detail: target.detail };
      const place = this.#limits.acquire(claimOf(call, target.origin), request.withdrawn);
      if (place !== true) {
        // Thousands may wait: each of their bodies would keep a piece of Node's pool of buffers, 64 KiB, alive, and each call an old copy
        // of its transaction.
        body = call = undefined;
        if (!(await place)) return WITHDRAWN;
      }
      let sign: Sign | undefined;
      try {
        const told = (news: Sign | undefined): void => void (sign = news);
        const now = place === true ? call : request.current();
        const result = await this.#attempt(request, now, target, body, signal, told);
        if (result.kind !== 'moved') return result;
      } finally {
        this.#limits.release(target.origin, sign);
      }
      call = request.current();
    }
    return WITHDRAWN;
  }

  health(namespace: string, participant: Participant): Health {
    const target = this.#resolve(namespace, participant);
    return target.kind === 'allowed' ? this.#limits.health(target.origin) : NEVER_CALLED;
  }

  /** By endpoint, of those that are sent fewer calls at once than they may because some timed out: how many. */
  windows(): ReturnType<EndpointLimits['windows']> {
    return this.#limits.windows();
  }

  /** By endpoint, of those that have failed: the breaker's state. */
  breakers(): ReturnType<EndpointLimits['breakers']> {
    return this.#limits.breakers();
  }

  /** Ends every connection at once; calls still under way become unknown. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** With its place: what is measured. */
  async #attempt(
    request: CallRequest,
    call: BranchCall | undefined,
    target: Target,
    body: Buffer | undefined,
    signal: AbortSignal,
    told: (sign: Sign | undefined) => void,
  ): Promise<CallResult | Moved> {
    if (!call) return WITHDRAWN;
    if (!isSame(this.#resolve(namespaceOf(call), call.participant), target)) return MOVED;
    const startedAt = performance.now();
    const result = await this.#send(request, target, body, signal, told);
    if (result.kind === 'withdrawn' || result.kind === 'moved') return result;
    const seconds = (performance.now() - startedAt) / 1000;
    const { participant, operation } = call;
    this.#settings.onCall?.({ participant: participant.name, operation, outcome: result.kind, seconds });
    return result;
  }

  async #send(
    request: CallRequest,
    target: Target,
    body: Buffer | undefined,
    signal: AbortSignal,
    told: (sign: Sign | undefined) => void,
  ): Promise<CallResult | Moved> {
    const token = await this.#token(target.audience, [signal, request.withdrawn]);
    const call = request.current();
    if (!call) return WITHDRAWN;
    if (!isSame(this.#resolve(namespaceOf(call), call.participant), target)) return MOVED;
    if (token.kind === 'none') return token.outcome;
    if (signal.aborted) return notSent();
    request.sent();
    const trace = startTrace(call, target);
    const sending = { call, target, body: body ?? bodyOf(call), traceparent: trace.traceparent };
    const begun = this.#limits.health(target.origin);
    const result = await this.#exchangeWithToken(sending, token.value, signal);
    told(signTo(call, result, begun));
    const outcome = this.#meaningOf(call, result);
    trace.end(outcome, result);
    return outcome;
  }

  /** Once more with a new token where the participant did not accept this one. */
  async #exchangeWithToken(sending: Sending, token: string | undefined, signal: AbortSignal): Promise<Exchange> {
    const result = await this.#exchange(sending, token, signal);
    const { target } = sending;
    const isStale = result.kind === 'answered' && result.answer.status === 401 && this.#dropped(target, token);
    const fresh = isStale ? await this.#token(target.audience, [signal]) : NO_TOKEN;
    return fresh.kind === 'none' ? result : this.#exchange(sending, fresh.value, signal);
  }

  async #exchange(sending: Sending, token: string | undefined, signal: AbortSignal): Promise<Exchange> {
    const { call, target, body, traceparent } = sending;
    const deadline = new Deadline(call.participant.timeoutSeconds * 1000, [signal]);
    try {
      const path = `${target.path}/${call.operation}`;
      const headers = requestHeaders(call, traceparent, token);
      return await exchange(this.#agent, { origin: target.origin, path, headers, body }, deadline);
    } finally {
      deadline.clear();
    }
  }

  #meaningOf(call: BranchCall, result: Exchange): Outcome {
    switch (result.kind) {
      case 'answered':
        return classify(call.operation, result.answer, this.#settings.clock.now());
      case 'broken':
        return broken(result.error);
      case 'timedOut':
      case 'aborted':
        return ended(result.kind);
    }
  }

  async #token(audience: string, signals: readonly AbortSignal[]): Promise<Token> {
    const { tokens, tokenMs = TOKEN_MS_MAX } = this.#settings;
    if (!tokens) return { kind: 'use', value: undefined };
    const deadline = new Deadline(tokenMs, signals);
    try {
      const token = await unlessEnded(tokens.get(audience), deadline);
      if (!deadline.end) return { kind: 'use', value: token };
    } catch {
      // Why it could not be had is the token source's to log: it changes from attempt to attempt.
    } finally {
      deadline.clear();
    }
    return { kind: 'none', outcome: deadline.end === 'aborted' ? notSent() : withoutToken() };
  }

  #dropped({ audience }: Target, token: string | undefined): boolean {
    return token !== undefined && this.#settings.tokens?.drop(audience, token) === true;
  }

  #resolve(namespace: string, participant: Participant): ResolvedEndpoint {
    const known = this.#endpoints.get(participant);
    if (known?.namespace === namespace) return known.resolved;
    const resolved = resolveEndpoint(participant, namespace, this.#settings.allowed);
    this.#endpoints.set(participant, { namespace, resolved });
    return resolved;
  }
}

type Token =
  { readonly kind: 'use'; readonly value: string | undefined } | { readonly kind: 'none'; readonly outcome: Outcome };

const NO_TOKEN: Token = { kind: 'none', outcome: withoutToken() };

/** What goes out, but for its token. */
interface Sending {
  readonly call: BranchCall;
  readonly target: Target;
  readonly body: Buffer;
  readonly traceparent: string;
}

interface Moved {
  readonly kind: 'moved';
}

const MOVED: Moved = { kind: 'moved' };
const WITHDRAWN = { kind: 'withdrawn' } as const;
const NEVER_CALLED: Health = { downForMs: undefined, revivals: 0 };

function signTo({ transaction }: BranchCall, result: Exchange, begun: EndpointHealth): Sign | undefined {
  const life = signOfLife(result);
  if (life === 'nothing') return undefined;
  const { namespace, name } = transaction.metadata;
  const key = `${namespace}/${name}`;
  if (life === 'alive') return { kind: 'alive', transaction: key };
  const { revivals, reductions } = begun;
  return { kind: 'failed', transaction: key, timedOut: result.kind === 'timedOut', revivals, reductions };
}

function namespaceOf({ transaction }: BranchCall): string {
  return transaction.metadata.namespace ?? '';
}

function bodyOf({ transaction }: BranchCall): Buffer {
  return Buffer.from(stringifyAnyDepth(transaction.spec.payload));
}

function isSame(now: ResolvedEndpoint, target: Target): boolean {
  if (now.kind === 'forbidden') return false;
  return now.origin === target.origin && now.path === target.path && now.audience === target.audience;
}

function claimOf(call: BranchCall, endpoint: string): Claim {
  const { transaction, participant } = call;
  return {
    endpoint,
    holder: `${transaction.metadata.namespace}/${transaction.spec.flow}/${participant.name}`,
    maxConcurrency: participant.maxConcurrency,
    rank: rankOf(call),
  };
}

const PAYLOAD_TOO_LARGE: Outcome = {
  kind: 'blocked',
  reason: 'PayloadTooLarge',
  detail: `${NOT_CALLED}the payload is over 64 kB as JSON: settle the branch by hand, and make smaller payloads`,
};

/**
 * As many connections as calls: the limits bound them, and HTTP/1.1 carries one call at a time. The time-outs of headers
 * and bodies are off, because each call's deadline covers both.
 */
function createAgent(): Dispatcher {
  return new Agent({
    pipelining: 1,
    allowH2: false,
    connectTimeout: CONNECT_TIMEOUT_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}
