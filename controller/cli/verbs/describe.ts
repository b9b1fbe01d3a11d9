/**
 * describe: one transaction, or an order's whole life over its transactions, live and archived: what happened, who did what, what was
 * answered last, and what the controller will do next and when.
 */
import type { Command } from 'commander';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { FLOWS, pathOf, TRANSACTIONS } from '../../src/kubernetes/stored-object.ts';
import { isFinal, needsWork } from '../../src/transaction/phase.ts';
import { deadlineSentences } from '../deadline.ts';
import { describeTransaction, type Told } from '../description.ts';
import { forecast } from '../next-step.ts';
import { bodyOf, explainRefusal, isForMissingRights } from '../refusal.ts';
import { listOf } from '../output/format.ts';
import { counted } from '../output/table.ts';
import { joined, selectorValue, type Session } from '../session.ts';
import { Trouble, usage } from '../trouble.ts';
import type { Run } from '../verb.ts';
import { describeLook } from '../look-sentences.ts';
import type { Found } from '../archive-reader.ts';
import { eventsOf } from '../events.ts';

export interface Lived {
  readonly transaction: OrderTransaction;
  readonly isArchived: boolean;
}

export function addDescribe(program: Command, run: Run): void {
  const command = program
    .command('describe')
    .argument('<name|orderId>', 'a transaction, or an order with all its transactions')
    .description("a transaction's life, or an order's, and what happens next");
  command.action((name: string) => run(command, (session) => describe(session, name)));
}

/** How the sentence goes on, by what the archive said. */
const NOT_FOUND: Readonly<Record<Found['kind'], string>> = {
  found: ' or the archive',
  unnamed:
    '; what has ended and is removed is in the archive (ARCHIVE_DATABASE_URL or --archive-database-url), which was not asked',
  unreachable: '; what has ended and is removed is in the archive, which could not be read: it may be there',
};

async function describe(session: Session, name: string): Promise<void> {
  const { namespace } = session;
  if (namespace === undefined) throw usage('describe takes one namespace: name it with -n');
  const { lives, archived } = await livesOf(session, namespace, name);
  if (lives.length === 0) {
    throw new Trouble(
      `no transaction and no order is called ${name} in the namespace ${namespace}${NOT_FOUND[archived]}`,
    );
  }
  const isTable = session.format.kind === 'table';
  const told = isTable ? await Promise.all(lives.map((life) => tell(session, namespace, life))) : [];
  await session.render({
    object: lives.length === 1 && lives[0] ? lives[0].transaction : listOf(lives.map(({ transaction }) => transaction)),
    names: lives.map(({ transaction }) => `ordertransaction.ordertx.dev/${transaction.metadata.name}`),
    text: () => textOf(name, told),
  });
}

async function livesOf(session: Session, namespace: string, name: string) {
  const byName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name)
    ? await session.api.find<OrderTransaction>(pathOf(TRANSACTIONS, namespace, name))
    : undefined;
  const selector = joined(session.selectors.fieldSelector, `spec.orderId=${selectorValue(name)}`);
  const byOrder = await session.api.transactions(namespace, { ...session.selectors, fieldSelector: selector });
  const archived = await session.archive.find(namespace, name);
  if (archived.kind === 'unreachable') session.terminal.say(`The archive cannot be read: ${archived.message}`);
  const live = [...(byName ? [byName] : []), ...byOrder];
  const all = [
    ...(archived.kind === 'found' ? archived.transactions : []).map((transaction) => ({
      transaction,
      isArchived: true,
    })),
    // What is still there is newer than what was archived of it.
    ...live.map((transaction) => ({ transaction, isArchived: false })),
  ];
  const lives = [...new Map(all.map((life) => [life.transaction.metadata.uid, life])).values()];
  return {
    lives: lives.toSorted((one, other) => createdMs(one) - createdMs(other)),
    archived: archived.kind,
  };
}

function createdMs({ transaction }: Lived): number {
  return Date.parse(transaction.metadata.creationTimestamp ?? '') || 0;
}

async function tell(session: Session, namespace: string, life: Lived): Promise<Told> {
  const { transaction, isArchived } = life;
  const { name, uid } = transaction.metadata;
  if (isArchived) return { ...life, events: [], next: [] };
  const events = await eventsOf(session, namespace, name, uid);
  if (isFinal(transaction.status?.phase) && !needsWork(transaction.status)) {
    const next = [`nothing; it may be removed after ${transaction.status?.expires ?? ''}`];
    return { ...life, events, next };
  }
  const [look, flow] = await Promise.all([
    describeLook(session, namespace, name),
    readFlow(session, namespace, transaction.spec.flow),
  ]);
  // What a controller says of itself leaves the deadline out.
  const deadline = flow.kind === 'read' ? deadlineSentences(transaction, flow.flow, session.now()) : [];
  if (look.isKnown) return { ...life, events, next: [...look.sentences, ...deadline] };
  const foretold = flow.kind === 'read' ? forecast(transaction, flow.flow, session.now()) : [flow.sentence];
  return { ...life, events, next: [...foretold, ...look.sentences] };
}

type ReadFlow =
  /** Undefined: there is none. */
  | { readonly kind: 'read'; readonly flow: TransactionFlow | undefined }
  | { readonly kind: 'forbidden'; readonly sentence: string };

/** Who may not read flows reads all the rest. */
async function readFlow(session: Session, namespace: string, name: string): Promise<ReadFlow> {
  const request = { method: 'GET', path: pathOf(FLOWS, namespace, name) } as const;
  const answer = await session.api.ask<TransactionFlow>(request);
  if (answer.kind === 'error' && isForMissingRights(answer.error)) {
    return {
      kind: 'forbidden',
      sentence: `cannot be said without the flow: ${explainRefusal(request, answer.error)}`,
    };
  }
  const isAbsent = answer.kind === 'error' && answer.error.status === 404 && answer.error.objectName !== undefined;
  return { kind: 'read', flow: isAbsent ? undefined : bodyOf(request, answer) };
}

function textOf(name: string, told: readonly Told[]): string {
  const [first] = told;
  const isOrder = told.length > 1 || first?.transaction.metadata.name !== name;
  const head = isOrder ? `Order:  ${name}, ${counted(told.length, 'transaction')}\n\n` : '';
  return head + told.map(describeTransaction).join('\n');
}
