/**
 * Doing one thing to one transaction or to thousands, and saying of each what came of it.
 *
 *  1. First it is counted and asked about; where nobody can be asked, nothing is done without --yes.
 *  2. Requests go out at --rate; whoever lacks a right hears so after the first.
 *  3. What was asked for is waited for: "settled" is said only of what the stored copy shows to be. With --no-wait it is only "asked".
 *  4. Every one that was chosen is in exactly one of the totals, also after Ctrl-C.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { NEEDS_WORK_SELECTOR, pathOf, TRANSACTIONS } from '../src/kubernetes/stored-object.ts';
import type { ApiAnswer, ApiError, ApiRequest } from '../src/kubernetes/transport.ts';
import { ANOTHER, PERHAPS_TAKEN, type Act, type Asking, type Result, type Verdict } from './act.ts';
import { parseDurationMs } from './durations.ts';
import { whoAmI } from './identity.ts';
import { ailmentOf } from './incident.ts';
import { isForPrograms } from './output/format.ts';
import { printable } from './output/printable.ts';
import { counted } from './output/table.ts';
import { pause } from './pause.ts';
import { explainRefusal, guardSentence, isForMissingRights } from './refusal.ts';
import type { Session } from './session.ts';
import { targetsOf, type TargetFlags } from './targets.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED, Trouble, usage } from './trouble.ts';

export interface ActingFlags extends TargetFlags {
  readonly yes?: boolean;
  readonly dryRun: string;
  readonly reason?: string;
  readonly rate: string;
  /** `--no-wait` makes it false. */
  readonly wait: boolean;
  readonly timeout: string;
}

export function addActingFlags(command: Command): Command {
  return command
    .option('-y, --yes', 'do not ask')
    .option('--dry-run <how>', 'none, or server: the API server checks it and nothing is changed', 'none')
    .option('--reason <text>', 'why, for whoever reads it later')
    .option('--rate <count>', 'at most so many requests a second', '20')
    .option('--no-wait', 'do not wait for what comes of it')
    .option('--timeout <duration>', 'how long to wait for what comes of it', '60s');
}

interface Item {
  readonly transaction: OrderTransaction;
  /** As stored by our request. */
  asked?: OrderTransaction;
  verdict?: Verdict;
}

/** Between two looks; longer with thousands, whose looks are lists. */
const LOOK_EVERY_MS = 500;
const LOOK_EVERY_MANY_MS = 2_000;
/** Up to so many are looked at one by one, which takes no right to list. */
const ONE_BY_ONE_MAX = 20;
/** More would wait for each other at the API server. */
const READ_AT_ONCE_MAX = 160;
/** A request takes some milliseconds: with one at a time no rate above some hundred could be held. */
const AT_ONCE = 8;

/** @returns the exit code */
export async function act(session: Session, act: Act, names: readonly string[], flags: ActingFlags): Promise<number> {
  const asking = await checked(session, flags);
  const ratePerSecond = rateOf(flags.rate);
  const timeoutMs = parseDurationMs(flags.timeout, '--timeout');
  const { found, missing } = await targetsOf(session, names, flags);
  const items = found.map((transaction): Item => {
    const verdict = act.before(transaction, asking.dryRun);
    return verdict === undefined ? { transaction } : { transaction, verdict };
  });
  const open = items.filter(({ verdict }) => verdict === undefined);
  const isTable = session.format.kind === 'table';
  if (open.length > 0 && !(await mayGoOn(session, act, items, flags))) {
    session.terminal.say('Nothing was done.');
    return EXIT_FAILED;
  }
  const told = async ({ transaction, verdict }: Item): Promise<void> => {
    if (isTable && verdict) await session.terminal.print(lineOf(nameIn(session, transaction.metadata), verdict));
  };
  for (const item of items) await told(item);
  await askAll(session, act, open, { asking, ratePerSecond, wait: flags.wait, told });
  if (flags.wait && !asking.dryRun) await awaitAll(session, act, items, timeoutMs, told);
  return report(session, act, items, missing);
}

async function checked(session: Session, { dryRun, reason }: ActingFlags): Promise<Asking> {
  if (dryRun !== 'none' && dryRun !== 'server') throw usage(`--dry-run: "${dryRun}" is neither none nor server`);
  return { session, reason, dryRun: dryRun === 'server', me: await whoAmI(session) };
}

function rateOf(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate <= 1_000))
    throw usage(`--rate: "${text}" is no number of requests a second from above 0 to 1000`);
  return rate;
}

async function mayGoOn(
  session: Session,
  act: Act,
  items: readonly Item[],
  { yes, dryRun }: ActingFlags,
): Promise<boolean> {
  const { terminal } = session;
  const open = items.filter(({ verdict }) => verdict === undefined);
  const question = act.question(counted(open.length, 'transaction'));
  if (!isForPrograms(session.format)) for (const line of countsOf(act, items)) terminal.say(line);
  if (dryRun === 'server' || yes === true) return true;
  if (isForPrograms(session.format) || !terminal.canAsk) {
    throw usage(`${question}? Nobody can be asked here: say --yes, or try it with --dry-run=server first`);
  }
  if (act.warning !== undefined) terminal.say(terminal.paint('yellow', act.warning));
  return terminal.confirms(`${question}?`);
}

/** How many of what, so that whoever took the wrong selector sees it. They add up to what was chosen, as the totals do. */
function countsOf({ note }: Act, items: readonly Item[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { transaction, verdict } of items) {
    const noted = note?.(transaction);
    const sentence = verdict
      ? `${verdict.result}: ${verdict.sentence}`
      : `${ailmentOf(transaction)?.sentence ?? 'nothing is wrong just now'}${noted === undefined ? '' : ` (${noted})`}`;
    const what = `${transaction.metadata.namespace ?? ''}/${transaction.spec.flow}: ${sentence}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  const lines = [...counts].toSorted(([, one], [, other]) => other - one);
  const shown = lines
    .slice(0, COUNTS_SHOWN_MAX)
    .map(([what, count]) => `${String(count).padStart(7)} ${printable(what)}`);
  return lines.length > shown.length ? [...shown, `        and ${lines.length - shown.length} other causes`] : shown;
}

const COUNTS_SHOWN_MAX = 10;

interface Sending {
  readonly asking: Asking;
  readonly ratePerSecond: number;
  readonly wait: boolean;
  readonly told: (item: Item) => Promise<void>;
}

async function askAll(session: Session, act: Act, open: readonly Item[], sending: Sending): Promise<void> {
  const { asking, ratePerSecond, wait, told } = sending;
  const startedMs = performance.now();
  let next = 0;
  const one = async (): Promise<boolean> => {
    const index = next++;
    const item = open[index];
    if (item === undefined) return false;
    await pause(startedMs + (index * 1_000) / ratePerSecond - performance.now(), session.stopping);
    if (session.stopping.aborted) item.verdict = { result: 'not asked', sentence: 'interrupted before' };
    else {
      const answer = await act.ask(item.transaction, asking);
      if (index === 0) refuseForAll(item.transaction, answer);
      takeAnswer(item, answer, asking, wait);
    }
    await told(item);
    return true;
  };
  const worker = async (): Promise<void> => {
    while (await one());
  };
  // The first by itself: what it lacks, all lack.
  await one();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Whoever lacks the right for one lacks it for all: said once, and nothing more is asked. */
function refuseForAll({ metadata }: OrderTransaction, answer: ApiAnswer<unknown>): void {
  if (answer.kind !== 'error' || answer.error.status !== 403) return;
  if (!isForMissingRights(answer.error) && !answer.error.message.includes('needs the verb "')) return;
  throw new Trouble(explainRefusal(patchOf(metadata), answer.error));
}

function patchOf({ namespace = '', name }: OrderTransaction['metadata']): ApiRequest {
  return { method: 'PATCH', path: pathOf(TRANSACTIONS, namespace, name) };
}

function takeAnswer(item: Item, answer: ApiAnswer<OrderTransaction>, { dryRun }: Asking, wait: boolean): void {
  switch (answer.kind) {
    case 'ok':
      item.asked = answer.body;
      if (dryRun) item.verdict = { result: 'would be asked', sentence: 'server dry run' };
      else if (!wait) item.verdict = { result: 'asked', sentence: 'what comes of it was not waited for' };
      return;
    case 'error': {
      const { error } = answer;
      const sentence = guardSentence(error.message);
      if (error.status === 404) item.verdict = { result: 'too late', sentence: 'it is gone' };
      else if (isAboutAnother(error)) item.verdict = { result: 'too late', sentence: ANOTHER };
      else if (error.status >= 500) item.verdict = { result: 'timed out', sentence: `${sentence}: ${PERHAPS_TAKEN}` };
      else if (/too late|exclude each other/.test(sentence)) item.verdict = { result: 'too late', sentence };
      else item.verdict = { result: 'refused', sentence: explainRefusal(patchOf(item.transaction.metadata), error) };
      return;
    }
    case 'unanswered':
      item.verdict = { result: 'timed out', sentence: `${answer.message}: ${PERHAPS_TAKEN}` };
  }
}

/** The uid that was sent along is not that of what has the name now. */
function isAboutAnother({ status, message }: ApiError): boolean {
  return (
    (status === 409 && message.includes('UID in the precondition')) ||
    (status === 422 && message.includes('metadata.uid'))
  );
}

async function awaitAll(
  session: Session,
  act: Act,
  items: readonly Item[],
  timeoutMs: number,
  told: (item: Item) => Promise<void>,
): Promise<void> {
  const endsMs = performance.now() + timeoutMs;
  let waiting = items.filter(({ verdict }) => verdict === undefined);
  if (waiting.length > 0 && session.terminal.canAsk && session.format.kind === 'table') {
    session.terminal.say(
      `Waiting for what comes of ${waiting.length}, at most ${timeoutMs / 1_000} s. Ctrl-C ends the waiting only.`,
    );
  }
  while (waiting.length > 0) {
    const { seen, isMore } = await look(session, waiting);
    for (const item of waiting) {
      const now = seen.get(item);
      if (now === undefined) {
        if (item.verdict) await told(item);
        continue;
      }
      item.verdict = act.judge(now.transaction, item.asked as OrderTransaction);
      if (item.verdict === undefined && performance.now() > endsMs) item.verdict = late(act, now.transaction, item);
      if (item.verdict) await told(item);
    }
    waiting = waiting.filter(({ verdict }) => verdict === undefined);
    // Where thousands have ended they are read in turns, as quickly as the API server gives them.
    if (waiting.length > 0 && !(isMore && seen.size > 0)) {
      await pause(waiting.length > ONE_BY_ONE_MAX ? LOOK_EVERY_MANY_MS : LOOK_EVERY_MS, session.stopping);
    }
    if (!session.stopping.aborted && performance.now() <= endsMs + timeoutMs) continue;
    const verdict: Verdict = session.stopping.aborted
      ? { result: 'not awaited', sentence: 'it was asked; kubectl ordertx describe says what came of it' }
      : { result: 'timed out', sentence: `it could not be looked at in time; ${STORED}` };
    for (const item of waiting) item.verdict = verdict;
    waiting = [];
  }
}

function late(act: Act, transaction: OrderTransaction | undefined, { asked }: Item): Verdict {
  const verdict = transaction && asked && act.judgeLate?.(transaction, asked);
  if (verdict) return verdict;
  const { waitingFor, message } = transaction?.status ?? {};
  const sentence = waitingFor && message ? message : 'nothing fails just now, but it is not through yet';
  return { result: 'timed out', sentence: `${sentence}; ${STORED}` };
}

/** Whoever reads only that nobody has answered asks again, or believes that nothing will happen. */
const STORED =
  'what was asked for is stored and counts once a controller sees it: kubectl ordertx check says whether one is running';

interface Seen {
  readonly transaction: OrderTransaction | undefined;
}

interface Looked {
  /** The stored copies, undefined for what is gone; those that could not be read just now are left out. */
  readonly seen: ReadonlyMap<Item, Seen>;
  /** Not all have been looked at: there were too many at once. */
  readonly isMore: boolean;
}

async function look(session: Session, waiting: readonly Item[]): Promise<Looked> {
  const seen = new Map<Item, Seen>();
  if (waiting.length > ONE_BY_ONE_MAX) {
    const byUid = await unfinishedByUid(session, new Set(waiting.map(({ transaction }) => transaction.metadata.uid)));
    for (const item of waiting) {
      const transaction = byUid.get(item.transaction.metadata.uid);
      if (transaction !== undefined) seen.set(item, { transaction });
    }
  }
  // What is not among the unfinished has ended: each of these is read once, and judged.
  const unseen = waiting.filter((item) => !seen.has(item));
  await Promise.all(
    unseen.slice(0, READ_AT_ONCE_MAX).map(async (item) => {
      const { namespace = '', name, uid } = item.transaction.metadata;
      const request = { method: 'GET', path: pathOf(TRANSACTIONS, namespace, name) } as const;
      const answer = await session.api.ask<OrderTransaction>(request);
      if (answer.kind === 'ok')
        seen.set(item, { transaction: answer.body.metadata.uid === uid ? answer.body : undefined });
      else if (answer.kind === 'error' && answer.error.status === 404) seen.set(item, { transaction: undefined });
      else if (answer.kind === 'error' && isForMissingRights(answer.error)) {
        item.verdict = { result: 'not awaited', sentence: explainRefusal(request, answer.error) };
      }
    }),
  );
  return { seen, isMore: unseen.length > READ_AT_ONCE_MAX };
}

/** Empty where they cannot be listed just now, or by us: then they are looked at one by one. */
async function unfinishedByUid(
  session: Session,
  meant: ReadonlySet<string | undefined>,
): Promise<ReadonlyMap<string | undefined, OrderTransaction>> {
  try {
    // Beside a hundred thousand others.
    const unfinished = await session.api.transactions(
      session.namespace,
      { fieldSelector: NEEDS_WORK_SELECTOR },
      (each) => (meant.has(each.metadata.uid) ? each : undefined),
    );
    return new Map(unfinished.map((transaction) => [transaction.metadata.uid, transaction]));
  } catch (error) {
    if (error instanceof Trouble) return new Map();
    throw error;
  }
}

/** In all namespaces a name alone says little. */
export function nameIn(
  { namespace: asked }: Pick<Session, 'namespace'>,
  { namespace = '', name }: { readonly namespace?: string; readonly name: string },
): string {
  return asked === undefined ? `${namespace}/${name}` : name;
}

function lineOf(name: string, { result, sentence }: Verdict): string {
  return `${name}: ${result}${sentence === '' ? '' : `: ${printable(sentence)}`}\n`;
}

const WELL: readonly Result[] = ['settled', 'asked', 'would be asked'];

async function report(session: Session, act: Act, items: readonly Item[], missing: readonly string[]): Promise<number> {
  const all = [
    ...items.map(({ transaction, verdict }) => ({
      namespace: transaction.metadata.namespace ?? '',
      name: transaction.metadata.name,
      ...toldOf(verdict as Verdict),
    })),
    ...missing.map((name) => ({
      namespace: session.namespace ?? '',
      name,
      result: 'not found' as const,
      sentence: '',
    })),
  ];
  const totals = new Map<Result, number>();
  for (const { result } of all) totals.set(result, (totals.get(result) ?? 0) + 1);
  const sum = [...totals].map(([result, count]) => `${count} ${result}`).join(', ');
  const missed = missing.map((name) => lineOf(name, { result: 'not found', sentence: '' })).join('');
  await session.render({
    object: {
      apiVersion: 'ordertx.dev/v1alpha1',
      kind: 'ActReport',
      verb: act.verb,
      totals: Object.fromEntries(totals),
      items: all,
    },
    names: all.map(({ name }) => `ordertransaction.ordertx.dev/${name}`),
    text: () => `${missed}${act.verb}: ${counted(all.length, 'transaction')}${sum === '' ? '' : `: ${sum}`}\n`,
  });
  if (session.stopping.aborted) return EXIT_INTERRUPTED;
  const isWell = (result: Result): boolean => WELL.includes(result) || (result === 'too late' && !act.lateIsFailure);
  const isMissed = items.some(({ verdict }) => verdict?.isMissed);
  return !isMissed && all.every(({ result }) => isWell(result)) ? 0 : EXIT_FAILED;
}

function toldOf({ result, sentence }: Verdict): Pick<Verdict, 'result' | 'sentence'> {
  return { result, sentence };
}
