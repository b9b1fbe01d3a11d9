/**
 * list: transactions, live or archived.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { conditionIsTrue } from '../../src/transaction/conditions.ts';
import { phaseOf } from '../../src/transaction/phase.ts';
import { ageOf, parseDurationMs } from '../durations.ts';
import { listOf } from '../output/format.ts';
import { lookUp, parsePath } from '../output/jsonpath.ts';
import { table } from '../output/table.ts';
import { addFilterFlags, picksOf, selectorsOf, type Filter } from '../selection.ts';
import type { Session } from '../session.ts';
import { Trouble, usage } from '../trouble.ts';
import type { Run } from '../verb.ts';

interface ListFlags extends Filter {
  readonly archived?: boolean;
  readonly sortBy: string;
  readonly limit: string;
}

export function addList(program: Command, run: Run): void {
  const command = program
    .command('list')
    .description('list transactions, the oldest first')
    .option('--archived', 'those in the archive instead, the latest end first')
    .option('--sort-by <path>', 'a JSONPath to sort by', '.metadata.creationTimestamp')
    .option('--limit <count>', 'of the archive, at most so many', '100');
  addFilterFlags(command).action((flags: ListFlags) => run(command, (session) => list(session, flags)));
}

async function list(session: Session, flags: ListFlags): Promise<void> {
  const transactions = flags.archived === true ? await archived(session, flags) : await live(session, flags);
  await session.render({
    object: listOf(transactions),
    names: transactions.map(({ metadata }) => `ordertransaction.ordertx.dev/${metadata.name}`),
    text: (wide) => tableOf(session, transactions, wide),
  });
  if (transactions.length === 0 && session.format.kind === 'table') {
    const none = `No transactions found${session.namespace === undefined ? '' : ` in ${session.namespace} namespace`}.`;
    session.terminal.say(none);
    if (flags.incident !== undefined)
      session.terminal.say(`Does kubectl ordertx incidents still show ${flags.incident}?`);
  }
}

async function live(session: Session, flags: ListFlags): Promise<readonly OrderTransaction[]> {
  const { each, among } = picksOf(flags, session);
  const path = parsePath(flags.sortBy);
  const isBrief = session.format.kind === 'table' || session.format.kind === 'name';
  const found = await session.api.transactions(session.namespace, selectorsOf(session, flags), (transaction) =>
    each(transaction)
      ? { key: lookUp(path, transaction)[0], transaction: isBrief ? brief(transaction) : transaction }
      : undefined,
  );
  const meant = among(found);
  if (meant.length > 0 && meant.every(({ key }) => key === undefined)) {
    throw new Trouble(`--sort-by: no transaction that was found has a field ${flags.sortBy}`);
  }
  return meant.toSorted((one, other) => compare(one.key, other.key)).map(({ transaction }) => transaction);
}

/** What a table shows, so that a hundred thousand need not be kept whole. */
function brief({ metadata, spec, ...rest }: OrderTransaction): OrderTransaction {
  const { name, namespace, creationTimestamp } = metadata;
  return {
    ...rest,
    metadata: { name, ...(namespace && { namespace }), ...(creationTimestamp && { creationTimestamp }) },
    spec: { ...spec, payload: {} },
  };
}

function compare(one: unknown, other: unknown): number {
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return textOf(one).localeCompare(textOf(other), 'en');
}

function textOf(key: unknown): string {
  return typeof key === 'string' ? key : JSON.stringify(key ?? '');
}

async function archived(session: Session, flags: ListFlags): Promise<readonly OrderTransaction[]> {
  const { namespace } = session;
  if (namespace === undefined) throw usage('list --archived: the archive is read by namespace: name one with -n');
  const { stuck, target, incident } = flags;
  if (stuck ?? target ?? incident ?? session.selectors.fieldSelector ?? session.selectors.labelSelector) {
    throw usage('list --archived takes --flow and --older-than; what is archived has ended and waits for nothing');
  }
  if (!/^[1-9]\d{0,6}$/.test(flags.limit)) throw usage(`--limit: "${flags.limit}" is no count`);
  const before = flags.olderThan && new Date(session.now() - parseDurationMs(flags.olderThan, '--older-than'));
  const filter = { namespace, ...(flags.flow && { flow: flags.flow }), ...(before && { before }) };
  const found = await session.archive.list(filter, Number(flags.limit));
  switch (found.kind) {
    case 'found':
      return found.transactions;
    case 'unnamed':
      throw usage('list --archived needs the archive: set ARCHIVE_DATABASE_URL or --archive-database-url');
    case 'unreachable':
      throw new Trouble(`the archive cannot be read: ${found.message}`);
  }
}

function tableOf(session: Session, transactions: readonly OrderTransaction[], wide: boolean): string {
  if (transactions.length === 0) return '';
  const inAll = session.namespace === undefined;
  const heads = [
    ...(inAll ? ['NAMESPACE'] : []),
    ...['NAME', 'FLOW', 'ORDER', 'PHASE', 'DECISION', 'STUCK', 'WAITING FOR', 'AGE'],
    ...(wide ? ['MESSAGE'] : []),
  ];
  const rows = transactions.map((transaction) => {
    const { metadata, spec, status } = transaction;
    return [
      ...(inAll ? [metadata.namespace ?? ''] : []),
      metadata.name,
      spec.flow,
      spec.orderId,
      phaseOf(transaction),
      status?.decision ?? '',
      conditionIsTrue(status, 'Stuck') ? 'True' : '',
      status?.waitingFor ?? '',
      ageOf(metadata.creationTimestamp, session.now()),
      ...(wide ? [status?.message ?? ''] : []),
    ];
  });
  return table(session.isWithHeads ? heads : [], rows);
}
