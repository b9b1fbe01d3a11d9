/**
 * A participant that breaks one promise is found out, and the report names the promise.
 *
 * Each mutation is one fault in a participant that is right without it.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { HEADERS, type ProblemCode } from '../../services/protocol/src/index.ts';
import {
  done,
  end,
  LOOPBACK_BRANCH,
  LOOPBACK_TOKEN,
  refused,
  RIGHT_PARTS,
  runLoopbackParticipant,
  runTry,
  turnedAway,
  type Call,
  type LoopbackParticipant,
  type Parts,
  type Reply,
  type Row,
  type Step,
} from './loopback-participant.ts';
import { runTool, type ToolRun } from './run-tool.ts';

let participant: LoopbackParticipant | undefined;
afterEach(async () => {
  await participant?.close();
  participant = undefined;
});

async function check(parts: Partial<Parts>, ...options: readonly string[]): Promise<ToolRun> {
  participant = await runLoopbackParticipant({ ...RIGHT_PARTS, ...parts });
  return runTool('--url', participant.url, '--branch', LOOPBACK_BRANCH, ...options);
}

/** The fence's table with one cell changed. */
function cell(
  state: Row['state'] | 'None',
  operation: string,
  step: (row: Row | undefined, ...rest: StepRest) => Step,
) {
  return {
    step: (row, called, ...rest) =>
      (row?.state ?? 'None') === state && called === operation
        ? step(row, ...rest)
        : RIGHT_PARTS.step(row, called, ...rest),
  } satisfies Partial<Parts>;
}
type StepRest = [payload: unknown, digest: string | undefined];

function without(reply: Reply, header: string): Reply {
  return { ...reply, headers: Object.fromEntries(Object.entries(reply.headers).filter(([name]) => name !== header)) };
}

/** Instead of a code another one. */
function recoded(from: ProblemCode, to: string): Partial<Parts> {
  return { send: (reply) => ({ ...reply, text: reply.text.replaceAll(`"${from}"`, `"${to}"`) }) };
}

let count = 0;

test('without a fault the participant passes', async () => {
  const run = await check({});
  expect(run.named('WRONG')).toEqual([]);
  expect(run.code).toBe(0);
});

const BREAKS_OFF = (call: Call) => call.operation === 'cancel' && RIGHT_PARTS.read(call) === undefined;

const MUTATIONS: readonly (readonly [fault: string, parts: Partial<Parts>, wrong: string, says: string])[] = [
  [
    'answers without Ordertx-State',
    { send: (reply) => without(reply, HEADERS.state) },
    'none × try: runs, and stores Tried',
    'send the header Ordertx-State',
  ],
  [
    'writes states in lower case',
    {
      send: (reply) => ({
        ...reply,
        headers: { ...reply.headers, [HEADERS.state]: String(reply.headers[HEADERS.state]).toLowerCase() },
      }),
    },
    'none × try: runs, and stores Tried',
    'with a capital',
  ],
  [
    'reserves for a try that comes after the cancel',
    cell('Cancelled', 'try', (_row, ...rest) => runTry(...rest)),
    'Cancelled × try: is refused: cancelled (suspension)',
    'it must never reserve',
  ],
  [
    'keeps no row of a cancel that came first',
    cell('None', 'cancel', () => ({ reply: done('Cancelled') })),
    'Cancelled first × try: is refused: cancelled (a late try reserves nothing)',
    'also of one that came before any try',
  ],
  [
    'keeps no row of a refusal',
    cell('None', 'try', (_row, ...rest) => {
      const step = runTry(...rest);
      return step.store?.state === 'Refused' ? { reply: step.reply } : step;
    }),
    'Refused × confirm: is refused',
    'keep refusals in the fence’s row',
  ],
  [
    'refuses in other words every time',
    cell('Refused', 'try', () => ({ reply: refused('refused', 'Refused', `No, for the ${++count}th time.`) })),
    'Refused × try: replays the refusal',
    'repeat its words',
  ],
  [
    'confirms what was never tried',
    cell('None', 'confirm', (row) => end(row, 'Confirmed')),
    'none × confirm: is refused: no-try',
    'confirm nothing that was not tried here',
  ],
  [
    'takes another payload for the same',
    { isSame: () => true },
    'another payload on try of a Tried branch is refused, payload-mismatch, and changes nothing',
    'keep a digest of the canonical payload',
  ],
  [
    'compares payloads on try only',
    { isSame: (row, digest, operation) => operation !== 'try' || RIGHT_PARTS.isSame(row, digest, operation) },
    'another payload on confirm of a Tried branch is refused, payload-mismatch, and changes nothing',
    'compare it on try and confirm',
  ],
  [
    'compares payloads as texts',
    { digestOf: (_payload, text) => text },
    'a payload spelt in another way (RFC 8785) is the same payload, on try and confirm',
    'compare the canonical JSON (RFC 8785)',
  ],
  [
    'refuses a cancel with another payload',
    { isSame: (row, digest) => row.digest === undefined || row.digest === digest },
    'a cancel with another payload of a Tried branch is done',
    'let a cancel through whatever it carries',
  ],
  [
    'refuses a cancel with a broken body',
    { admit: (call) => (BREAKS_OFF(call) ? turnedAway(400) : RIGHT_PARTS.admit(call)) },
    'a cancel with a body that is broken JSON of a Tried branch is done',
    'let a cancel through whatever it carries',
  ],
  [
    'sends refusals as text/plain',
    {
      send: (reply) =>
        reply.status === 409 ? { ...reply, headers: { ...reply.headers, 'content-type': 'text/plain' } } : reply,
    },
    'none × confirm: is refused: no-try',
    'application/problem+json (RFC 9457)',
  ],
  [
    'gives another code',
    recoded('already-confirmed', 'conflict'),
    'Confirmed × cancel: is refused: already-confirmed',
    'set code to already-confirmed',
  ],
  [
    'gives no detail',
    { send: (reply) => ({ ...reply, text: reply.text.replace(/"detail":"[^"]*"/, '"more":""') }) },
    'none × confirm: is refused: no-try',
    'say in the member detail why',
  ],
  [
    'does not look at the branch’s name',
    {
      admit: (call) => RIGHT_PARTS.admit({ ...call, headers: { ...call.headers, [HEADERS.branch]: LOOPBACK_BRANCH } }),
    },
    'a call of another branch is not taken, and the next one is',
    'compare Ordertx-Branch with your own name',
  ],
  [
    'does not look at the operation in the header',
    {
      admit: (call) =>
        RIGHT_PARTS.admit({ ...call, headers: { ...call.headers, [HEADERS.operation]: call.operation } }),
    },
    'a call whose Ordertx-Operation is not the path’s is not taken',
    'compare Ordertx-Operation with the path',
  ],
  [
    'does not miss the transaction’s name',
    { admit: (call) => (call.headers[HEADERS.transaction] === undefined ? undefined : RIGHT_PARTS.admit(call)) },
    'a call without Ordertx-Transaction is not taken',
    'without its transaction’s name',
  ],
  [
    'serves every namespace',
    { admit: (call) => ignoring403(RIGHT_PARTS.admit(call)) },
    'a transaction of a namespace that is not served is 403',
    'let the namespaces that may call be set',
  ],
  [
    'works out a new answer for each repeat',
    cell('Tried', 'try', () => ({ reply: done('Tried', `{"held":${++count + 1_000_000}}`) })),
    'Tried × try: replays the stored answer',
    'replay it; do not work it out anew',
  ],
  [
    'answers a late try of a confirmed branch with Tried',
    cell('Confirmed', 'try', (row) => ({ reply: done('Tried', row?.answer) })),
    'Confirmed × try: replays the stored answer',
    'answer a repeat from the fence’s row',
  ],
  [
    'redirects',
    { send: (reply, { operation }) => ({ ...reply, status: 307, headers: { location: `/elsewhere/${operation}` } }) },
    'none × try: runs, and stores Tried',
    'follows no redirect',
  ],
  [
    'confirms after the cancel',
    cell('Cancelled', 'confirm', (row) => end(row, 'Confirmed')),
    'Cancelled × confirm: is refused: already-cancelled',
    'let the first of confirm and cancel stand',
  ],
  [
    'cancels after the confirm',
    cell('Confirmed', 'cancel', (row) => end(row, 'Cancelled')),
    'Confirmed × cancel: is refused: already-confirmed',
    'let the first of confirm and cancel stand',
  ],
  [
    'takes broken JSON for a business no',
    { send: (reply) => (reply.status === 400 ? refused('refused', 'None') : reply) },
    'broken JSON on try is 4xx and no refusal: the try after it runs',
    'answer 400, store nothing',
  ],
  [
    'reads bodies of any size',
    { bodyBytesMax: Infinity },
    'a huge body is turned away unread, and the service lives on',
    'bound what is read of a body',
  ],
  [
    'takes small bodies only',
    { bodyBytesMax: 20_000 },
    'a body of 65536 bytes is taken, on try and confirm',
    'take bodies of 64 kB',
  ],
  [
    'forgets the row between looking and writing',
    { pause: () => new Promise((resolve) => setImmediate(resolve)) },
    'tries at the same time reserve once and hear the same answer',
    'take the fence’s row first',
  ],
];

function ignoring403(reply: Reply | undefined): Reply | undefined {
  return reply?.status === 403 ? undefined : reply;
}

describe('a participant that', () => {
  test.each(MUTATIONS)('%s is found out', async (_fault, parts, wrong, says) => {
    const run = await check(parts);
    expect(run.code).toBe(1);
    expect(run.named('WRONG')).toContain(wrong);
    const [, report = ''] = run.text.split(`WRONG       ${wrong}\n`);
    const [, todo = ''] = /to do {5}(.*)/.exec(report) ?? [];
    expect(todo).toContain(says);
  });

  test('does not answer in time is found out', async () => {
    const run = await check(
      { send: (reply, call) => (call.operation === 'cancel' && call.text === 'null' ? undefined : reply) },
      '--timeout',
      '0.5',
    );
    expect(run.code).toBe(1);
    expect(run.named('WRONG')).toEqual(['a cancel with a body that is no object of a Tried branch is done']);
    expect(run.text).toContain('no answer: none within 0.5 s');
  });

  test('says "not yet" for a while is asked again', async () => {
    let early = 0;
    const laterReply = { ...turnedAway(425), headers: { 'retry-after': '0' } };
    const run = await check({ send: (reply) => (++early % 5 === 0 ? laterReply : reply) });
    expect(run.named('WRONG')).toEqual([]);
  });
});

describe('a participant that checks tokens', () => {
  const tokenOf = ({ headers }: Call) => headers.authorization ?? '';
  const admitting =
    (isGood: (authorization: string) => boolean): Parts['admit'] =>
    (call) =>
      isGood(tokenOf(call)) ? RIGHT_PARTS.admit(call) : turnedAway(401);
  const WITHOUT = 'a call without a token is 401 and changes nothing';
  const NO_GOOD = 'a call with a token that is no good is 401 and changes nothing';

  test('passes', async () => {
    const run = await check(
      { admit: admitting((token) => token === `Bearer ${LOOPBACK_TOKEN}`) },
      '--token',
      LOOPBACK_TOKEN,
    );
    expect(run.named('ok')).toEqual(expect.arrayContaining([WITHOUT, NO_GOOD]));
    expect(run.code).toBe(0);
  });

  test.each([
    ['lets everybody in', () => true, [WITHOUT, NO_GOOD]],
    ['asks for any token', (token: string) => token !== '', [NO_GOOD]],
    ['asks for any bearer token', (token: string) => token.startsWith('Bearer '), [NO_GOOD]],
    ['does not look at the signature', (token: string) => token.startsWith('Bearer header.claims.'), [NO_GOOD]],
    [
      'believes a token that wants no signature',
      (token: string) => token.endsWith('signature') || /[.]claims[.]$/.test(token),
      [NO_GOOD],
    ],
  ])('but %s is found out', async (_fault, isGood, wrong) => {
    const run = await check({ admit: admitting(isGood) }, '--token', LOOPBACK_TOKEN);
    expect(run.code).toBe(1);
    expect(run.named('WRONG')).toEqual(wrong);
  });
});
