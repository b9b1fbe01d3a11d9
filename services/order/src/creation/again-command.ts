/**
 * The command line of `creations again`: `node services/order/src/main.ts creations again --since 2026-11-26T08:00:00Z`, after the API
 * server's etcd or a participant's database was restored from an older snapshot. The running service creates what is made due.
 */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { countChosen, makeDueAgain, type ChosenCount, type Choice } from './ended.ts';
import { CREATIONS_USAGE } from './usage.ts';

export interface AgainCommand {
  /** What follows the words `creations again`. */
  readonly args: readonly string[];
  readonly databaseUrl: string;
  readonly keptDays: number;
  readonly print: (line: string) => void;
  /** Where `--orders-from -` reads; default: the process's own. */
  readonly stdin?: NodeJS.ReadableStream;
}

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i;
const FLOWS: readonly string[] = ['create-order', 'pay-order', 'close-order'];
/** A quarter of what an API server on two cores creates. */
const PER_SECOND_DEFAULT = '50';
const DAY_MS = 24 * 3_600_000;

/** Resolves with the exit code: 0 done (also where there was nothing to do), 1 nobody knows, 2 the command line is not usable. */
export async function againCommand(command: AgainCommand): Promise<number> {
  const asked = await readArguments(command);
  if (typeof asked === 'string') {
    command.print(`${asked}\n${CREATIONS_USAGE}`);
    return 2;
  }
  // A connection of its own: a choice among millions of rows takes longer than any time-out of the pool.
  const client = new Client({ connectionString: command.databaseUrl, application_name: 'order-creations' });
  client.on('error', () => undefined); // The query that fails says it.
  try {
    await client.connect();
    return await run(client, asked, command);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    command.print(
      `it is not known whether anything was changed: ${why}\nrun the same command again; it does nothing twice`,
    );
    return 1;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function run(client: Client, asked: Asked, { keptDays, print }: AgainCommand): Promise<number> {
  const { choice, perSecond, dryRun } = asked;
  const counts = await countChosen(client, choice);
  const total = counts.reduce((sum, { chosen }) => sum + chosen, 0);
  const already = counts.reduce((sum, count) => sum + count.already, 0);
  if (choice.since !== undefined && choice.since.getTime() < Date.now() - keptDays * DAY_MS) {
    print(`ended creations are kept for ${keptDays} days: those before that cannot be made again`);
  }
  if (already > 0) print(`${already} are due already and stay as they are`);
  if (total === 0) {
    print('no other ended creation is kept that fits');
    return 0;
  }
  if (dryRun) {
    print(`would be created again: ${inWords(counts)}`);
    return 0;
  }
  const made = await makeDueAgain(client, choice, perSecond);
  const seconds = Math.ceil(made / perSecond);
  print(`created again, within about ${seconds} s, by the running service: ${inWords(counts)}`);
  return 0;
}

function inWords(counts: readonly ChosenCount[]): string {
  return counts
    .filter(({ chosen }) => chosen > 0)
    .map(({ flow, chosen }) => `${chosen} ${flow}`)
    .join(', ');
}

interface Asked {
  readonly choice: Choice;
  readonly perSecond: number;
  readonly dryRun: boolean;
}

/** A sentence where the arguments are not usable. */
async function readArguments(command: AgainCommand): Promise<Asked | string> {
  const values = parse(command.args);
  if (typeof values === 'string') return values;
  const since = readSince(values.since);
  if (typeof since === 'string') return since;
  const { flow } = values;
  if (flow !== undefined && !FLOWS.includes(flow)) return `--flow must be one of: ${FLOWS.join(', ')}`;
  const perSecond = Number(values['per-second'] ?? PER_SECOND_DEFAULT);
  if (!Number.isInteger(perSecond) || perSecond < 1 || perSecond > 1_000)
    return '--per-second must be a whole number from 1 to 1000';
  const orderIds = await readOrders(values, command.stdin ?? process.stdin);
  if (typeof orderIds === 'string') return orderIds;
  if (since === undefined && orderIds === undefined) return '--since must say from when on, or --order which ones';
  return { choice: { since, flow, orderIds }, perSecond, dryRun: values['dry-run'] ?? false };
}

function parse(args: readonly string[]) {
  const string = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        ...{ since: string, flow: string, 'orders-from': string, 'per-second': string },
        order: { type: 'string', multiple: true },
        'dry-run': { type: 'boolean' },
      },
      strict: true,
    }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function readSince(since: string | undefined): Date | string | undefined {
  if (since === undefined) return undefined;
  const date = new Date(since);
  if (!RFC_3339.test(since) || Number.isNaN(date.getTime()))
    return '--since must be a time as RFC 3339 has it, for example 2026-11-26T08:00:00Z';
  return date.getTime() > Date.now() ? '--since must not lie in the future' : date;
}

interface OrdersAsked {
  readonly order?: readonly string[] | undefined;
  readonly 'orders-from'?: string | undefined;
}

/** Undefined where none are named; of a list that is named and empty nothing is made again. */
async function readOrders(
  values: OrdersAsked,
  stdin: NodeJS.ReadableStream,
): Promise<readonly string[] | string | undefined> {
  const from = values['orders-from'];
  if (values.order === undefined && from === undefined) return undefined;
  try {
    const listed = from === undefined ? '' : from === '-' ? await text(stdin) : await readFile(from, 'utf8');
    const ids = listed.split(/\s+/).filter((id) => id !== '');
    return [...new Set([...(values.order ?? []), ...ids])];
  } catch (error) {
    return `--orders-from must be a file that can be read, or -: ${error instanceof Error ? error.message : String(error)}`;
  }
}
