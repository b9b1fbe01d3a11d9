/**
 * Settling a branch by hand: a person makes the service's data agree with the transaction's stored decision.
 *
 * Business work and fence row change in one database transaction, so whatever call of the controller comes late finds the branch
 * where it was settled. The person then writes the resolution into the transaction. Which decision is stored is the person's
 * to look up: a service does not know it.
 *
 *              as Confirmed                     as Cancelled
 *   None       try and confirm (needs payload)  cancel, tried: false
 *   Tried      confirm                          cancel, tried: true
 *   Refused    try and confirm                  cancel, tried: false
 *   Confirmed  nothing to do                    contrary
 *   Cancelled  contrary                         nothing to do
 */
import type { Pool, PoolClient } from 'pg';
import { formatTransaction, type FenceState, type TransactionName } from '../../../protocol/src/index.ts';
import { endTransaction, type Ending } from '../postgres/transaction.ts';
import type { AnyBranch, Later } from './branch.ts';
import { canonical, type Canonical } from './digest.ts';
import { answerText, runTry, triedPayload, usablePayload } from './fence.ts';
import { claimBranch, writeBranch, type StoredBranch } from './stored-branch.ts';

export interface SettleOptions {
  readonly pool: Pool;
  readonly branch: AnyBranch;
  readonly transaction: TransactionName;
  readonly as: 'Confirmed' | 'Cancelled';
  /** Why, in the person's words; kept in the fence row. */
  readonly reason: string;
  /** Needed to confirm what was never tried; otherwise what was tried counts. */
  readonly payload?: unknown;
}

export type Settled =
  | { readonly kind: 'settled'; readonly from: FenceState }
  /** It was there before; nothing was done. */
  | { readonly kind: 'already' }
  /** Nothing was changed: the business said no or not yet, the branch ended the other way, or what was given does not fit. */
  | { readonly kind: 'refused' | 'later' | 'contrary' | 'unfit'; readonly detail: string };

export async function settle(options: SettleOptions): Promise<Settled> {
  const given = options.payload === undefined ? undefined : canonical(options.payload);
  if (options.payload !== undefined && given === undefined)
    return { kind: 'unfit', detail: 'The payload is not JSON.' };
  return endTransaction(options.pool, async (client) => {
    const provisional = {
      state: 'Tried',
      path: options.branch.path,
      digest: given?.digest,
      payload: given?.text,
    } as const;
    const stored = await claimBranch(client, keyOf(options), provisional, 'present');
    if (stored.state !== 'None' && stored.path !== options.branch.path) {
      return undone({ kind: 'unfit', detail: `This branch of the transaction belongs to ${stored.path}.` });
    }
    return options.as === 'Confirmed'
      ? settleConfirmed(client, options, stored, given)
      : settleCancelled(client, options, stored);
  });
}

async function settleConfirmed(
  client: PoolClient,
  options: SettleOptions,
  stored: StoredBranch,
  given: Canonical | undefined,
): Promise<Ending<Settled>> {
  switch (stored.state) {
    case 'Confirmed':
      return undone({ kind: 'already' });
    case 'Cancelled':
      return undone({ kind: 'contrary', detail: 'The branch is Cancelled here; it cannot be settled as Confirmed.' });
    case 'Tried':
      if (given !== undefined && given.digest !== stored.digest) return undone(otherPayload);
      return confirmTried(client, options, 'Tried', stored);
    case 'Refused':
      if (given !== undefined && given.digest !== stored.digest) return undone(otherPayload);
      return tryAndConfirm(client, options, 'Refused', { text: stored.payload, digest: stored.digest });
    case 'None':
      if (given === undefined) {
        const detail = "Nothing was tried here, so the transaction's payload is needed to confirm it: give --payload.";
        return undone({ kind: 'unfit', detail });
      }
      return tryAndConfirm(client, options, 'None', given);
  }
}

const otherPayload: Settled = {
  kind: 'unfit',
  detail: 'The payload is not the one that was tried; leave it out, or give the one of the transaction.',
};

async function tryAndConfirm(
  client: PoolClient,
  options: SettleOptions,
  from: FenceState,
  payload: Canonical,
): Promise<Ending<Settled>> {
  const result = await runTry(
    client,
    options.branch,
    { transaction: options.transaction, attempt: 1 },
    JSON.parse(payload.text),
  );
  switch (result.kind) {
    case 'refused':
      return undone({ kind: 'refused', detail: result.detail });
    case 'later':
      return undone(notYet(result));
    case 'ask':
      return undone({ kind: 'later', detail: 'only the running service can ask what has to be asked first' });
    case 'tried':
      return confirmTried(client, options, from, {
        payload: payload.text,
        digest: payload.digest,
        answer: answerText(result.answer),
      });
  }
}

async function confirmTried(
  client: PoolClient,
  options: SettleOptions,
  from: FenceState,
  tried: { readonly payload: string; readonly digest: string; readonly answer: string | null },
): Promise<Ending<Settled>> {
  const payload = triedPayload(options.branch, tried.payload);
  const result = await options.branch.confirm(client, { ...callOf(options), payload });
  if (result.kind === 'later') return undone(notYet(result));
  const { digest, answer } = tried;
  await writeBranch(client, keyOf(options), { state: 'Confirmed', digest, answer, settledReason: options.reason });
  return { keep: true, value: { kind: 'settled', from } };
}

async function settleCancelled(
  client: PoolClient,
  options: SettleOptions,
  stored: StoredBranch,
): Promise<Ending<Settled>> {
  const { branch } = options;
  if (stored.state === 'Cancelled') return undone({ kind: 'already' });
  if (stored.state === 'Confirmed') {
    return undone({ kind: 'contrary', detail: 'The branch is Confirmed here; it cannot be settled as Cancelled.' });
  }
  const tried = stored.state === 'Tried';
  const known: unknown =
    stored.state === 'Refused' && options.payload === undefined ? JSON.parse(stored.payload) : options.payload;
  const payload = tried ? triedPayload(branch, stored.payload) : usablePayload(branch.payload, known);
  const result = await branch.cancel(client, { ...callOf(options), tried, payload });
  if (result.kind === 'later') return undone(notYet(result));
  const digest = stored.state === 'None' ? null : stored.digest;
  await writeBranch(client, keyOf(options), { state: 'Cancelled', digest, settledReason: options.reason });
  return { keep: true, value: { kind: 'settled', from: stored.state } };
}

function keyOf(options: SettleOptions) {
  return { transaction: options.transaction, branch: options.branch.branch };
}

/** What the branch hears instead of a decisionReason and its sentence. */
function callOf(options: SettleOptions) {
  return { transaction: options.transaction, attempt: 1, reason: 'Settled', detail: options.reason };
}

function notYet(result: Later): Settled {
  return { kind: 'later', detail: result.detail };
}

function undone(value: Settled): Ending<Settled> {
  return { keep: false, value };
}

/** For people: what happened, and what to do next. */
export function describeSettled(options: SettleOptions, settled: Settled): string {
  const name = `branch ${options.branch.branch} of ${formatTransaction(options.transaction)}`;
  switch (settled.kind) {
    case 'settled':
      return `${name} is ${options.as} now (it was ${settled.from}); add the resolution to the transaction next`;
    case 'already':
      return `${name} was ${options.as} already; add the resolution to the transaction next`;
    case 'refused':
      return `nothing was changed: ${name} was refused: ${settled.detail}`;
    case 'later':
      return `nothing was changed: ${name} cannot be settled yet: ${settled.detail}`;
    case 'contrary':
    case 'unfit':
      return `nothing was changed: ${settled.detail}`;
  }
}
