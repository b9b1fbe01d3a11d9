/** What a call looks like at the participant, and which calls are never sent. Real HTTP on loopback. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { decodeDetail } from '../../../services/protocol/src/detail.ts';
import { PAYLOAD_BYTES_MAX, type CallerSettings, type CallReport, type ParticipantCaller } from './caller.ts';
import {
  answerState,
  branchCallTo,
  callerFor,
  callTo,
  participantAt,
  startParticipant,
  TRANSACTION,
  type LoopbackParticipant,
} from './loopback-participant.ts';
import type { BranchCall } from '../reconcile/ports.ts';

const NEVER = new AbortController().signal;
const open: { stop?(): Promise<void>; close?(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of open.splice(0)) await (each.close?.() ?? each.stop?.());
});

async function world(
  answer: Parameters<typeof startParticipant>[0],
  settings: Partial<CallerSettings> = {},
): Promise<{ participant: LoopbackParticipant; caller: ParticipantCaller }> {
  const participant = await startParticipant(answer);
  const caller = callerFor([participant.origin], settings);
  open.push(caller, participant);
  return { participant, caller };
}

async function until(isTrue: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + 5_000;
  while (!isTrue()) {
    if (Date.now() > giveUpAt) throw new Error('the awaited condition did not come');
    await new Promise(setImmediate);
  }
}

function transactionWith(payload: Record<string, unknown>) {
  return { ...TRANSACTION, spec: { ...TRANSACTION.spec, payload } };
}

describe('the request', () => {
  test('of a try carries the payload and says who asks for what', async () => {
    const { participant, caller } = await world((response) => answerState(response, 'Tried'));
    const call = callTo(participantAt(participant.origin), { attempt: 3, reason: 'AllTried', detail: 'none yet' });
    expect(await caller.call(call, NEVER)).toEqual({ kind: 'succeeded' });

    const [request] = participant.requests;
    expect(request?.path).toBe('/tcc/create-order/try');
    expect(JSON.parse(request?.body ?? '')).toEqual({ orderId: 'o1' });
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'ordertx-transaction': 'shop/create-o1',
      'ordertx-branch': 'inventory',
      'ordertx-operation': 'try',
      'ordertx-attempt': '3',
      'idempotency-key': 'shop/create-o1/inventory/try',
      traceparent: expect.stringMatching(/^00-2f7a7f6e3f0a4c579d7c0c9f8f1f7a11-[0-9a-f]{16}-01$/),
    });
    for (const absent of ['ordertx-reason', 'ordertx-detail', 'authorization']) {
      expect(request?.headers).not.toHaveProperty(absent);
    }
  });

  test.each([
    ['confirm', 'Confirmed', 'AllTried'],
    ['cancel', 'Cancelled', 'Refused'],
  ] as const)('of a %s carries reason and detail as well', async (operation, state, reason) => {
    const { participant, caller } = await world((response) => answerState(response, state));
    const detail = 'ausverkauft: „Größe 42“ 😀\r\nInjected: header';
    await caller.call(callTo(participantAt(participant.origin), { operation, reason, detail }), NEVER);
    const headers = participant.requests[0]?.headers;
    expect(participant.requests[0]?.path).toBe(`/tcc/create-order/${operation}`);
    expect(headers).toMatchObject({ 'ordertx-reason': reason, 'ordertx-operation': operation });
    expect(decodeDetail(String(headers?.['ordertx-detail']))).toBe(detail);
    expect(headers).not.toHaveProperty('injected');
  });

  test('carries the same key, payload and trace on every retry', async () => {
    const { participant, caller } = await world((response) => response.writeHead(503).end());
    for (const attempt of [1, 2]) await caller.call(callTo(participantAt(participant.origin), { attempt }), NEVER);
    const [first, second] = participant.requests;
    expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
    expect(second?.body).toBe(first?.body);
    expect(String(second?.headers.traceparent).slice(0, 35)).toBe(String(first?.headers.traceparent).slice(0, 35));
    expect([first?.headers['ordertx-attempt'], second?.headers['ordertx-attempt']]).toEqual(['1', '2']);
  });
});

describe('the token', () => {
  test("is the one for the participant's own audience", async () => {
    const tokens = { get: async (audience: string) => `token for ${audience}`, drop: () => false };
    const { participant, caller } = await world((response) => answerState(response, 'Tried'), { tokens });
    await caller.call(callTo(participantAt(participant.origin)), NEVER);
    const { host } = new URL(participant.origin);
    expect(participant.requests[0]?.headers.authorization).toBe(`Bearer token for ordertx/${host}`);
  });

  test.each([
    ['is refused', () => Promise.reject(new Error('forbidden at 10:04:05'))],
    ['never comes', () => new Promise<string>(() => undefined)],
  ])('that %s leaves the call unsent', async (_how, get) => {
    const tokens = { get, drop: () => false };
    const { participant, caller } = await world((response) => answerState(response, 'Tried'), { tokens, tokenMs: 50 });
    const outcome = await caller.call(callTo(participantAt(participant.origin)), NEVER);
    expect(outcome).toEqual({ kind: 'unsent', detail: expect.stringMatching(/^is not called: .* no token/) });
    expect(participant.requests).toEqual([]);
  });

  test('that comes late leaves the participant its whole time', async () => {
    let give: (token: string) => void = () => undefined;
    const tokens = { get: () => new Promise<string>((resolve) => (give = resolve)), drop: () => false };
    const { participant, caller } = await world((response) => answerState(response, 'Tried'), { tokens });
    const outcome = caller.call(callTo(participantAt(participant.origin, { timeoutSeconds: 0.5 })), NEVER);
    setTimeout(() => give('late'), 700);
    expect(await outcome).toEqual({ kind: 'succeeded' });
  });

  test('that is not accepted is thrown away, and the call made once more with a new one', async () => {
    const given = ['old', 'new', 'newest'];
    const dropped: string[] = [];
    const tokens = {
      get: async () => given[0] ?? '',
      drop: (_audience: string, token: string) => {
        dropped.push(token);
        given.shift();
        return dropped.length === 1;
      },
    };
    const { participant, caller } = await world(
      (response, request) =>
        request.headers.authorization === 'Bearer new' ? answerState(response, 'Tried') : response.writeHead(401).end(),
      { tokens },
    );
    expect(await caller.call(callTo(participantAt(participant.origin)), NEVER)).toEqual({ kind: 'succeeded' });
    expect(dropped).toEqual(['old']);

    given.shift();
    const outcome = await caller.call(callTo(participantAt(participant.origin)), NEVER);
    expect(outcome).toMatchObject({ kind: 'unknown', detail: expect.stringMatching(/^answered 401/) });
    expect(participant.requests).toHaveLength(3);
  });
});

describe('a call that must not be sent', () => {
  test('because of its endpoint is blocked', async () => {
    const { participant, caller } = await world((response) => answerState(response, 'Tried'));
    const elsewhere = participantAt(participant.origin.replace('127.0.0.1', 'localhost'));
    expect(await caller.call(callTo(elsewhere), NEVER)).toMatchObject({ kind: 'blocked', reason: 'EndpointForbidden' });
    expect(participant.requests).toEqual([]);
  });

  test('because its payload is too large is blocked; one byte less is sent', async () => {
    const { participant, caller } = await world((response) => answerState(response, 'Tried'));
    const overhead = JSON.stringify({ note: '' }).length;
    const fits = 'ü'.repeat((PAYLOAD_BYTES_MAX - overhead) / 2).concat('x'.repeat((PAYLOAD_BYTES_MAX - overhead) % 2));
    const target = participantAt(participant.origin);
    const tooLarge = await caller.call(callTo(target, { transaction: transactionWith({ note: `${fits}x` }) }), NEVER);
    expect(tooLarge).toMatchObject({ kind: 'blocked', reason: 'PayloadTooLarge' });
    expect(participant.requests).toEqual([]);
    expect(await caller.call(callTo(target, { transaction: transactionWith({ note: fits }) }), NEVER)).toEqual({
      kind: 'succeeded',
    });
    expect(Buffer.byteLength(participant.requests[0]?.body ?? '')).toBe(PAYLOAD_BYTES_MAX);
  });
});

test('a payload nested deeper than JSON.stringify goes is sent as it is: its participant says no', async () => {
  const { participant, caller } = await world((response) => answerState(response, 'Tried'));
  const text = `{"a":${'['.repeat(9_000)}${']'.repeat(9_000)}}`;
  const payload = JSON.parse(text) as Record<string, unknown>;
  expect(() => JSON.stringify(payload)).toThrow(RangeError);
  const call = callTo(participantAt(participant.origin), { transaction: transactionWith(payload) });
  expect(await caller.call(call, NEVER)).toEqual({ kind: 'succeeded' });
  expect(participant.requests[0]?.body === text).toBe(true);
});

describe('a call that waits', () => {
  /** A participant with one place, which a first call has until `free` is called; and calls that are asked for as they are then. */
  async function crowded() {
    const held: (() => void)[] = [];
    const answer: Parameters<typeof startParticipant>[0] = (response, { path }) => {
      const state = path.endsWith('try') ? 'Tried' : path.endsWith('cancel') ? 'Cancelled' : 'Confirmed';
      held.push(() => answerState(response, state));
    };
    const [first, second] = [await startParticipant(answer), await startParticipant(answer)];
    const caller = callerFor([first.origin, second.origin]);
    open.push(caller, first, second);
    const target = participantAt(first.origin, { maxConcurrency: 1 });
    const running = caller.call(callTo(target), NEVER);
    await until(() => held.length === 1);
    const free = async () => {
      held.shift()?.();
      await running;
    };
    return { caller, first, second, target, held, free };
  }

  test('is withdrawn at once when it is given up, and never sent', async () => {
    const { caller, first, target, free } = await crowded();
    const givenUp = new AbortController();
    const waiting = caller.call({ ...callTo(target), withdrawn: givenUp.signal }, NEVER);
    givenUp.abort();
    expect(await waiting).toEqual({ kind: 'withdrawn' });
    await free();
    expect(first.requests).toHaveLength(1);
  });

  test('is not sent when its place comes and nobody wants it any more, and gives its place to the next', async () => {
    const { caller, first, target, held, free } = await crowded();
    let wanted: BranchCall | undefined = branchCallTo(target);
    const waiting = caller.call({ ...callTo(target), current: () => wanted }, NEVER);
    const next = caller.call(callTo(target, { operation: 'cancel' }), NEVER);
    const afterNext = caller.call(callTo(target), NEVER);
    wanted = undefined;
    await free();
    await until(() => held.length === 1);
    held.shift()?.();
    expect(await next).toEqual({ kind: 'succeeded' });
    expect(await waiting).toEqual({ kind: 'withdrawn' });
    await until(() => held.length === 1);
    held.shift()?.();
    await afterNext;
    expect(first.requests.map(({ path }) => path.split('/').at(-1))).toEqual(['try', 'cancel', 'try']);
  });

  test('goes to the endpoint that its participant has when its place comes', async () => {
    const { caller, first, second, target, held, free } = await crowded();
    let now = branchCallTo(target);
    const waiting = caller.call({ ...callTo(target), current: () => now }, NEVER);
    now = branchCallTo({ ...target, endpoint: { url: second.origin } });
    await free();
    await until(() => held.length === 1);
    held.shift()?.();
    expect(await waiting).toEqual({ kind: 'succeeded' });
    expect([first.requests.length, second.requests.length]).toEqual([1, 1]);
  });

  test('for its token is looked at again before it goes out', async () => {
    let give: (token: string) => void = () => undefined;
    const tokens = { get: () => new Promise<string>((resolve) => (give = resolve)), drop: () => false };
    const { participant, caller } = await world((response) => answerState(response, 'Tried'), { tokens });
    let sent = 0;
    let wanted: BranchCall | undefined = branchCallTo(participantAt(participant.origin));
    const request = { current: () => wanted, sent: () => void (sent += 1), withdrawn: NEVER };
    const calling = caller.call(request, NEVER);
    wanted = undefined;
    give('token');
    expect(await calling).toEqual({ kind: 'withdrawn' });
    expect({ sent, received: participant.requests.length }).toEqual({ sent: 0, received: 0 });
  });

  test('says when it is sent, once', async () => {
    const { participant, caller } = await world((response) => answerState(response, 'Tried'));
    let sent = 0;
    await caller.call({ ...callTo(participantAt(participant.origin)), sent: () => void (sent += 1) }, NEVER);
    expect(sent).toBe(1);
  });
});

describe('many calls', () => {
  test('use few connections, again and again', async () => {
    const { participant, caller } = await world((response) => answerState(response, 'Tried'));
    const target = participantAt(participant.origin, { maxConcurrency: 4 });
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(Array.from({ length: 10 }, () => caller.call(callTo(target), NEVER)));
    }
    expect(participant.requests).toHaveLength(200);
    // undici lets a connection rest for one turn of the event loop, meanwhile another one serves.
    expect(participant.accepted()).toBeLessThanOrEqual(2 * target.maxConcurrency);
  });

  test('never run in greater number than maxConcurrency, and do run in that number', async () => {
    let running = 0;
    let most = 0;
    const { participant, caller } = await world((response) => {
      most = Math.max(most, (running += 1));
      setTimeout(() => {
        running -= 1;
        answerState(response, 'Tried');
      }, 2);
    });
    const target = participantAt(participant.origin, { maxConcurrency: 3 });
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => caller.call(callTo(target), NEVER)));
    expect(outcomes.every(({ kind }) => kind === 'succeeded')).toBe(true);
    expect(most).toBe(3);
  });

  test('reach the participant with confirms and cancels first, then what it is asked for the first time', async () => {
    const { participant, caller } = await world((response, { path }) =>
      setImmediate(() =>
        answerState(response, path.endsWith('try') ? 'Tried' : path.endsWith('cancel') ? 'Cancelled' : 'Confirmed'),
      ),
    );
    const target = participantAt(participant.origin, { maxConcurrency: 1 });
    const calls = [
      { operation: 'try', attempt: 1 },
      { operation: 'try', attempt: 2 },
      { operation: 'confirm', attempt: 2 },
      { operation: 'try', attempt: 1 },
      { operation: 'cancel', attempt: 1 },
      { operation: 'try', attempt: 1 },
    ] as const;
    await Promise.all(calls.map((call) => caller.call(callTo(target, call), NEVER)));
    const seen = participant.requests.map(({ path, headers }) => [path.split('/').at(-1), headers['ordertx-attempt']]);
    expect(seen).toEqual([
      ['try', '1'],
      ['confirm', '2'],
      ['cancel', '1'],
      ['try', '1'],
      ['try', '1'],
      ['try', '2'],
    ]);
  });

  test('are each reported with how they ended', async () => {
    const reports: CallReport[] = [];
    const { participant, caller } = await world(
      (response, { path }) =>
        path.endsWith('try') ? response.writeHead(500).end() : answerState(response, 'Confirmed'),
      { onCall: (report) => reports.push(report) },
    );
    await caller.call(callTo(participantAt(participant.origin)), NEVER);
    await caller.call(callTo(participantAt(participant.origin), { operation: 'confirm' }), NEVER);
    expect(reports).toEqual([
      { participant: 'inventory', operation: 'try', outcome: 'unknown', seconds: expect.any(Number) },
      { participant: 'inventory', operation: 'confirm', outcome: 'succeeded', seconds: expect.any(Number) },
    ]);
  });
});
