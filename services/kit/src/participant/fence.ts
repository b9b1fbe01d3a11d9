/**
 * The fence: runs a branch's business work at most once, in an order that makes sense, whatever comes late, twice or never.
 *
 * cells.ts says what is to be done; here it is done, in one database transaction of the service's own database:
 *
 * 1. The row is taken first (inserted, or locked), so calls of one branch run one after the other. READ COMMITTED, because the call
 *    that waited must see what the other one left.
 * 2. Business change and row are kept together or not at all. A crash, a lost connection or a thrown error leaves neither.
 * 3. A try's work stands in a savepoint: a refusal undoes the work and keeps the row, so that every repeat hears the same no.
 * 4. "Later" undoes everything, the row too, and the next call starts afresh.
 * 5. A try that has somebody asked leaves nothing meanwhile, and holds nothing. It begins afresh with what was heard.
 * 6. The usual case (a first try, a confirm of what was tried) may be one statement that takes the row and does the business
 *    (joined-statement.ts). It does what step by step would have been done; where it does nothing, the call goes step by step.
 * 7. A cancel never looks at the payload that came with it if the branch was tried: what was reserved is what is returned.
 */
import type { Pool, PoolClient } from 'pg';
import type { ZodType } from 'zod';
import type { Operation } from '../../../protocol/src/index.ts';
import { describeIssues, validate, type FieldIssue } from '../http/validate.ts';
import { endTransaction, type Ending } from '../postgres/transaction.ts';
import type { FenceAnswer } from './answer.ts';
import type { AnyBranch, Ask, Json, Later, Refused, Tried, TryCall } from './branch.ts';
import { stepFor, type Step } from './cells.ts';
import type { CallIdentity, FenceCall } from './fence-call.ts';
import { claimBranch, writeBranch, type BranchWrite, type StoredBranch } from './stored-branch.ts';
import { passUsually } from './usual-case.ts';

/** What the caller hears, and what is done once that is true for good. */
interface Passed {
  readonly answer: FenceAnswer;
  readonly afterwards?: (() => void) | undefined;
}

/** Told of a call that went step by step: what was stored before it, and its answer. */
export type OnPassed = (stored: StoredBranch['state'], answer: FenceAnswer) => void;

/** Rejects with the database's error, or with what the branch threw; then nothing has been stored, or nobody knows (commit). */
export async function passFence(
  pool: Pool,
  branch: AnyBranch,
  call: FenceCall,
  onPassed: OnPassed = () => undefined,
): Promise<FenceAnswer> {
  const usually = await passUsually(pool, branch, call);
  if (usually !== undefined) return usually;
  const passed = await passOnce(pool, branch, call, onPassed);
  if (passed.kind !== 'ask') return passed;
  const objection = await passed.ask();
  if (objection?.kind === 'later') return later(objection, 'None');
  const again = await passOnce(pool, branch, call, onPassed, { objection });
  if (again.kind === 'ask') throw new Error(`the try at ${branch.path} asks once more, though it was answered`);
  return again;
}

type Heard = NonNullable<TryCall<unknown>['heard']>;

async function passOnce(
  pool: Pool,
  branch: AnyBranch,
  call: FenceCall,
  onPassed: OnPassed,
  heard?: Heard,
): Promise<FenceAnswer | Ask> {
  const { passed, state } = await endTransaction(pool, async (client) => {
    const stored = await claim(client, branch, call);
    const ending = await performStored(client, branch, call, stored, heard);
    return { keep: ending.keep, value: { passed: ending.value, state: stored.state } };
  });
  if ('ask' in passed) return passed;
  passed.afterwards?.();
  onPassed(state, passed.answer);
  return passed.answer;
}

async function performStored(
  client: PoolClient,
  branch: AnyBranch,
  call: FenceCall,
  stored: StoredBranch,
  heard: Heard | undefined,
): Promise<Ending<Passed | Ask>> {
  if (stored.state !== 'None' && stored.path !== branch.path) return undone({ kind: 'misdirected', path: stored.path });
  const digest = call.operation === 'cancel' ? undefined : call.canonical.digest;
  return perform(client, branch, call, { stored, step: stepFor(stored, call.operation, digest), heard });
}

/** What a branch without a row is inserted as. For try and cancel that is where they usually end; a confirm's is never kept. */
const PROVISIONAL = { try: 'Tried', confirm: 'Tried', cancel: 'Cancelled' } as const satisfies Record<
  Operation,
  string
>;

async function claim(client: PoolClient, branch: AnyBranch, call: FenceCall): Promise<StoredBranch> {
  const { operation } = call;
  const tried = operation === 'try' ? { digest: call.canonical.digest, payload: call.canonical.text } : {};
  const provisional = { state: PROVISIONAL[operation], path: branch.path, ...tried };
  return claimBranch(client, key(branch, call), provisional, operation === 'try' ? 'absent' : 'present');
}

interface Found {
  readonly stored: StoredBranch;
  readonly step: Step;
  readonly heard: Heard | undefined;
}

async function perform(
  client: PoolClient,
  branch: AnyBranch,
  call: FenceCall,
  { stored, step, heard }: Found,
): Promise<Ending<Passed | Ask>> {
  if (step.kind === 'answer') return undone(step.answer);
  switch (call.operation) {
    case 'try':
      return performTry(client, branch, call, heard);
    case 'confirm':
      if (step.kind !== 'run-confirm') throw new Error(`${step.kind} is no step of a confirm`);
      return performConfirm(client, branch, call, step);
    case 'cancel':
      if (step.kind !== 'run-cancel') throw new Error(`${step.kind} is no step of a cancel`);
      return performCancel(client, branch, call, stored, step);
  }
}

async function performTry(
  client: PoolClient,
  branch: AnyBranch,
  call: FenceCall & { operation: 'try' },
  heard: Heard | undefined,
): Promise<Ending<Passed | Ask>> {
  const { digest, text: payload } = call.canonical;
  const result = call.inexact ? notUsable([call.inexact]) : await runTry(client, branch, { ...call, heard }, call.body);
  switch (result.kind) {
    case 'tried': {
      const answer = answerText(result.answer);
      // The row was inserted as Tried already; most tries have nothing to add to it.
      if (answer !== null) await writeBranch(client, key(branch, call), { state: 'Tried', digest, payload, answer });
      return kept({ kind: 'done', state: 'Tried', body: answer, replayed: false });
    }
    case 'refused': {
      const refusal = result.detail;
      await writeBranch(client, key(branch, call), { state: 'Refused', digest, payload, refusal });
      return kept({ kind: 'refused', state: 'Refused', code: 'refused', detail: refusal });
    }
    case 'later':
      return undone(later(result, 'None'));
    case 'ask':
      return { keep: false, value: result };
  }
}

async function performConfirm(
  client: PoolClient,
  branch: AnyBranch,
  call: FenceCall & { operation: 'confirm' },
  step: Step & { kind: 'run-confirm' },
): Promise<Ending<Passed>> {
  const { transaction, attempt, reason, detail } = call;
  const payload = triedPayload(branch, step.payload);
  const result = await branch.confirm(client, { transaction, attempt, reason, detail, payload });
  if (result.kind === 'later') return undone(later(result, 'Tried'));
  await writeBranch(client, key(branch, call), { state: 'Confirmed', digest: step.digest, answer: step.answer });
  return kept({ kind: 'done', state: 'Confirmed', body: null, replayed: false }, result.afterwards);
}

async function performCancel(
  client: PoolClient,
  branch: AnyBranch,
  call: FenceCall & { operation: 'cancel' },
  stored: StoredBranch,
  step: Step & { kind: 'run-cancel' },
): Promise<Ending<Passed>> {
  const { transaction, attempt, reason, detail } = call;
  const payload = step.tried ? triedPayload(branch, step.payload) : usablePayload(branch.payload, call.body);
  const result = await branch.cancel(client, { transaction, attempt, reason, detail, tried: step.tried, payload });
  if (result.kind === 'later') return undone(later(result, stored.state));
  const write: BranchWrite = { state: 'Cancelled', digest: step.digest };
  if (stored.state !== 'None') await writeBranch(client, key(branch, call), write);
  return kept({ kind: 'done', state: 'Cancelled', body: null, replayed: false }, result.afterwards);
}

/** Runs a try's business work inside a savepoint; afterwards a refusal has undone it. A payload that fails its schema is a refusal. */
export async function runTry(
  client: PoolClient,
  branch: AnyBranch,
  call: CallIdentity & { readonly heard?: Heard | undefined },
  body: unknown,
): Promise<Tried | Refused | Later | Ask> {
  const checked = validate(branch.payload, body);
  if (checked.kind === 'invalid') return notUsable(checked.issues);
  const { transaction, attempt, heard } = call;
  await client.query('savepoint business');
  const result = await branch.try(client, { transaction, attempt, payload: checked.value, ...(heard && { heard }) });
  if (result.kind === 'refused') await client.query('rollback to savepoint business');
  return result;
}

function notUsable(issues: readonly FieldIssue[]): Refused {
  return { kind: 'refused', detail: `The payload is not usable: ${describeIssues(issues, 'payload')}.` };
}

/** What was tried passed the schema then. If a newer schema does not take it, that is a fault to be mended, not a no. */
export function triedPayload(branch: AnyBranch, text: string): unknown {
  const checked = validate(branch.payload, JSON.parse(text));
  if (checked.kind === 'valid') return checked.value;
  const issues = describeIssues(checked.issues, 'payload');
  throw new Error(`what was tried at ${branch.path} does not pass today's schema; make the schema take it: ${issues}`);
}

/** For a branch that holds nothing: the payload if it is of use, for what the service wants to record. */
export function usablePayload<P>(schema: ZodType<P>, body: unknown): P | undefined {
  const checked = validate(schema, body);
  return checked.kind === 'valid' ? checked.value : undefined;
}

export function answerText(answer: Json | undefined): string | null {
  return answer === undefined ? null : JSON.stringify(answer);
}

function key(branch: AnyBranch, call: CallIdentity) {
  return { transaction: call.transaction, branch: branch.branch };
}

function later(result: Later, state: StoredBranch['state']): FenceAnswer {
  return { kind: 'later', state, detail: result.detail, retryAfterSeconds: result.retryAfterSeconds };
}

function kept(answer: FenceAnswer, afterwards?: () => void): Ending<Passed> {
  return { keep: true, value: { answer, afterwards } };
}

function undone(answer: FenceAnswer): Ending<Passed> {
  return { keep: false, value: { answer } };
}
