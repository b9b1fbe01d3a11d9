/**
 * Participants that are dead, silent, late or talking nonsense: each call is repeated until a usable answer comes, people
 * can see what is waited for meanwhile, and past the deadline nothing stays reserved anywhere.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../local/deadline.ts';
import type { ParticipantName } from '../../local/services.ts';
import { findCondition } from '../../controller/src/transaction/conditions.ts';
import { GONE, openTappedShop, TEA, type TappedShop } from './every-request.ts';
import type { Fault, Tapped, Verdict } from './fault-proxy.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const SEEN_MS = 15_000;
const NEVER = new Promise<never>(() => undefined);

let tapped: TappedShop;

beforeAll(async () => {
  tapped = await openTappedShop('faults');
  const { shop, origins } = tapped;
  // Long enough for a participant that is well on a busy machine: after two sentences the next is written a minute later.
  await shop.putFlow('patient', { origins, callTimeoutSeconds: 1 });
  await shop.putFlow('impatient', { origins, callTimeoutSeconds: 0.5, timeoutSeconds: 2 });
  await shop.putFlow('direct', { stuckAfterSeconds: 1 });
  await shop.putFlow('direct-impatient', { stuckAfterSeconds: 1, timeoutSeconds: 1 });
  await tapped.startController();
}, SETUP_MS);

afterAll(() => tapped.close(), TEST_MS);

type Operation = 'try' | 'confirm' | 'cancel';

interface Trouble {
  readonly fault: Fault;
  /** From now on calls pass; those that were held are let go. */
  lift(): void;
}

interface Kind {
  readonly what: string;
  /** When the verdict is asked for: before the call is carried out, or after. */
  readonly when: 'before' | 'after';
  readonly verdict: (lifted: Promise<unknown>) => Verdict | Promise<Verdict>;
  /** What people read. */
  readonly says: string;
}

/** What this kind of trouble does to these calls until it is lifted. */
function trouble({ when, verdict }: Kind, concerns: (request: Tapped) => boolean): Trouble {
  const { promise: lifted, resolve } = Promise.withResolvers<undefined>();
  let isOver = false;
  return {
    fault: { [when]: (request: Tapped) => (isOver || !concerns(request) ? 'pass' : verdict(lifted)) },
    lift: () => {
      isOver = true;
      resolve(undefined);
    },
  };
}

function operationOf({ path }: Tapped): Operation {
  return path.split('/').at(-1) as Operation;
}

const NO_ANSWER = 'gave no answer within';
const NO_STATE = 'without Ordertx-State';
const TOO_LATE = async (lifted: Promise<unknown>): Promise<Verdict> => lifted.then(() => 'pass');
const PAGE = { headers: { 'content-type': 'text/html' }, body: '<h1>It works!</h1>' };
const PROBLEM = { headers: { 'content-type': 'application/problem+json' }, body: '{"code":"refused","detail":"no"}' };

const CARRIED_OUT_LATE: Kind = {
  what: 'carries calls out after their time-out',
  when: 'before',
  verdict: TOO_LATE,
  says: NO_ANSWER,
};
const ANSWERED_LATE: Kind = {
  what: 'carries calls out and answers after their time-out',
  when: 'after',
  verdict: TOO_LATE,
  says: NO_ANSWER,
};

function answering(status: number): Kind {
  return { what: `answers ${status}`, when: 'before', verdict: () => ({ status }), says: `answered ${status}: ` };
}

const KINDS: readonly Kind[] = [
  { what: 'hangs', when: 'before', verdict: () => NEVER, says: NO_ANSWER },
  { what: 'breaks off its connections', when: 'before', verdict: () => 'drop', says: 'the connection broke off' },
  { what: 'answers 500', when: 'before', verdict: () => ({ status: 500 }), says: 'answered 500' },
  { what: 'answers 200 without a state', when: 'before', verdict: () => ({ status: 200 }), says: NO_STATE },
  { what: 'is a web page', when: 'before', verdict: () => ({ status: 200, ...PAGE }), says: NO_STATE },
  { what: 'answers 409 without a state', when: 'before', verdict: () => ({ status: 409, ...PROBLEM }), says: NO_STATE },
  ...[401, 403, 421, 503].map((status) => answering(status)),
  { what: 'redirects', when: 'before', verdict: () => ({ status: 307 }), says: 'a redirect, which is never followed' },
  CARRIED_OUT_LATE,
  ANSWERED_LATE,
];

/** Waits until people can read that the transaction waits for this operation at this participant, and why. */
async function isWaitedFor(name: string, participant: string, operation: Operation, says: string): Promise<void> {
  const sentence = `the ${operation} at ${participant} is not done: `;
  const next = ` Next: it is asked again, until ${operation === 'try' ? 'the deadline cancels the transaction' : 'it has done it'}`;
  const said = ({ message = '' }: { message?: string }) =>
    message.startsWith(sentence) && message.includes(says) && message.endsWith(next);
  const { status } = await tapped.shop.transactionWhen(
    name,
    `to say "${sentence}...${says}"`,
    (transaction) => said(transaction.status ?? {}),
    SEEN_MS,
  );
  expect(status?.waitingFor).toBe(participant);
}

describe('a participant that for a while', () => {
  test.each(KINDS)(
    '$what is asked again, by name, until try, confirm and cancel are done',
    async (kind) => {
      const { shop, tap } = tapped;
      const before = await shop.stockOf('tea');
      const atInventory = (...operations: Operation[]) =>
        trouble(kind, (request) => request.to === 'inventory' && operations.includes(operationOf(request)));
      const trying = atInventory('try');
      tap.reset(trying.fault);
      const happy = await shop.begin('patient', [TEA]);
      const refused = await shop.begin('patient', [TEA, GONE]);
      await isWaitedFor(happy.name, 'inventory', 'try', kind.says);
      await isWaitedFor(refused.name, 'inventory', 'try', kind.says);

      const ending = atInventory('confirm', 'cancel');
      tap.fault = ending.fault;
      trying.lift();
      await isWaitedFor(happy.name, 'inventory', 'confirm', kind.says);
      await isWaitedFor(refused.name, 'inventory', 'cancel', kind.says);
      ending.lift();

      expect((await shop.final(happy.name)).status).toMatchObject({ phase: 'Succeeded', waitingFor: '', message: '' });
      expect((await shop.final(refused.name)).status).toMatchObject({ phase: 'Cancelled', decisionReason: 'Refused' });
      expect(await shop.orderStatus(happy.orderId)).toBe('PENDING_PAYMENT');
      expect(await shop.orderStatus(refused.orderId)).toBe('CANCELLED');
      const after = await shop.stockOf('tea');
      expect(after).toMatchObject({
        frozen: before.frozen + TEA.quantity,
        sellable: before.sellable - TEA.quantity,
      });
    },
    TEST_MS,
  );
});

describe('when the deadline passes before the decision', () => {
  test.each([
    { participant: 'inventory', ...CARRIED_OUT_LATE },
    { participant: 'inventory', ...ANSWERED_LATE },
    { participant: 'order', ...CARRIED_OUT_LATE },
    { participant: 'order', ...ANSWERED_LATE },
  ])(
    'because $participant $what, all is cancelled and stays so when the late tries are through',
    async ({ participant, ...kind }) => {
      const { shop, tap } = tapped;
      const before = await shop.stockOf('tea');
      const late = trouble(kind, (request) => request.to === participant && operationOf(request) === 'try');
      const lateAnswers: number[] = [];
      tap.reset({
        ...late.fault,
        after: async (request, status) => {
          const verdict = (await late.fault.after?.(request, status)) ?? 'pass';
          if (request.to === participant && operationOf(request) === 'try') lateAnswers.push(status);
          return verdict;
        },
      });
      const { name, orderId } = await shop.begin('impatient', [TEA]);
      const { status } = await shop.final(name);
      expect(status).toMatchObject({ phase: 'Cancelled', decision: 'Cancel', decisionReason: 'DeadlineExceeded' });
      expect(status?.message).toMatch(`no answer to the try within 2 s from ${participant} (${kind.says}`);

      const tries = tap.seen.filter((request) => request.to === participant && operationOf(request) === 'try').length;
      expect(tries).toBeGreaterThan(1);
      late.lift();
      await waitFor(async () => lateAnswers.length === tries, {
        what: `the answers to ${tries} late tries`,
        deadlineMs: SEEN_MS,
      });
      // The fence's suspension: a try that comes after the cancel is refused. Those carried out in time were undone.
      if (kind.when === 'before') expect(new Set(lateAnswers)).toEqual(new Set([409]));
      expect(await shop.stockOf('tea')).toEqual(before);
      expect(await shop.orderStatus(orderId)).toBe('CANCELLED');
    },
    TEST_MS,
  );

  test(
    'one refusal decides at once: the silent participant is not waited for, only cancelled',
    async () => {
      const { shop, tap } = tapped;
      const isLate = ({ to, path }: Tapped) => to === 'order' && path.endsWith('/try');
      const late = trouble(CARRIED_OUT_LATE, isLate);
      const lateAnswers: number[] = [];
      tap.reset({
        ...late.fault,
        after: (request, answered) => {
          if (isLate(request)) lateAnswers.push(answered);
          return 'pass';
        },
      });
      const { name, orderId } = await shop.begin('patient', [TEA, GONE]);
      const { status } = await shop.final(name, SEEN_MS);
      expect(status).toMatchObject({ phase: 'Cancelled', decisionReason: 'Refused' });
      const tries = tap.seen.filter(isLate).length;
      late.lift();
      await waitFor(async () => lateAnswers.length === tries, {
        what: `the answers to ${tries} late tries`,
        deadlineMs: SEEN_MS,
      });
      expect(new Set(lateAnswers)).toEqual(new Set([409]));
      expect(await shop.orderStatus(orderId)).toBe('CANCELLED');
    },
    TEST_MS,
  );
});

describe('while a participant is dead', () => {
  const failing = async () => {
    const { shop } = tapped;
    const names = await shop.kubectl('get', 'otx', '--field-selector', 'status.waitingFor!=', '-o', 'name');
    return names.split('\n').filter((name) => name !== '');
  };

  test.each<ParticipantName>(['inventory', 'order'])(
    'kubectl names %s and lists what it holds up, which all ends once it is back',
    async (dead) => {
      const { shop, tap } = tapped;
      tap.reset({});
      expect(await failing()).toEqual([]);
      const victim = shop.services[dead].part;
      victim.process.kill('SIGKILL');
      await victim.process.exited;

      const patient = await shop.begin('direct', [TEA]);
      const late = await shop.begin('direct-impatient', [TEA]);
      const refusal = 'refused the connection';
      await isWaitedFor(patient.name, dead, 'try', refusal);
      await isWaitedFor(late.name, dead, 'cancel', refusal);
      for (const { name } of [patient, late]) {
        const { status } = await shop.transactionWhen(
          name,
          'to be Stuck',
          (transaction) => findCondition(transaction.status, 'Stuck')?.status === 'True',
          SEEN_MS,
        );
        expect(findCondition(status, 'Stuck')).toMatchObject({ reason: 'TakingTooLong', message: status?.message });
      }
      const all = [patient, late].map(({ name }) => `ordertransaction.ordertx.dev/${name}`);
      expect([...(await failing())].sort()).toEqual(all.sort());

      await victim.restart();
      expect((await shop.final(patient.name)).status).toMatchObject({ phase: 'Succeeded', waitingFor: '' });
      const { status } = await shop.final(late.name);
      expect(status).toMatchObject({ phase: 'Cancelled', decisionReason: 'DeadlineExceeded', waitingFor: '' });
      expect(findCondition(status, 'Stuck')?.status).toBe('False');
      expect(await failing()).toEqual([]);
    },
    TEST_MS,
  );
});

test('at rest, the data of all services and the cluster agree', async () => {
  expect(await tapped.shop.violations()).toEqual([]);
});
