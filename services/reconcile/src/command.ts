/**
 * The command line of `reconcile`: one line for each order, SKU or message about which the services disagree.
 *
 *   node services/reconcile/src/main.ts                 for people
 *   node services/reconcile/src/main.ts -o json         for programs: one JSON object a line
 *   node services/reconcile/src/main.ts -o name         ids of the orders whose creations can be made again, for
 *                                                       `creations again --orders-from -` of the order service
 */
import { parseArgs } from 'node:util';
import { reconcile, type Counts, type Disagreement } from './reconcile.ts';
import type { Databases } from './rows.ts';

export interface ReconcileCommand {
  readonly args: readonly string[];
  /** Asked for once the arguments are usable. */
  readonly databases: () => Databases;
  readonly print: (line: string) => void;
  /** What is not part of the list. */
  readonly note: (line: string) => void;
}

export const RECONCILE_USAGE = 'reconcile [-o text|json|name] [--at-rest <seconds, 0 to 604800>]';

/** Longer than a customer waits and a restart takes; what is younger may simply not be through yet. */
const AT_REST_SECONDS_DEFAULT = '600';
const AT_REST_SECONDS_MAX = 604_800;
const OUTPUTS = ['text', 'json', 'name'] as const;
type Output = (typeof OUTPUTS)[number];

/** Resolves with the exit code: 0 all agree, 1 some disagree or nobody knows, 2 the command line is not usable. */
export async function reconcileCommand({ args, databases, print, note }: ReconcileCommand): Promise<number> {
  const asked = readArguments(args);
  if (typeof asked === 'string') {
    note(`${asked}\nusage: ${RECONCILE_USAGE}`);
    return 2;
  }
  const from = databases();
  try {
    const counts = await reconcile(from, asked, (disagreement) => {
      const line = lineOf(disagreement, asked.output);
      if (line !== undefined) print(line);
    });
    note(summary(counts, asked.atRestSeconds));
    return counts.disagreeing === 0 ? 0 : 1;
  } catch (error) {
    note(`nobody knows whether the services agree: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

interface Asked {
  readonly output: Output;
  readonly atRestSeconds: number;
}

/** A sentence where the arguments are not usable. */
function readArguments(args: readonly string[]): Asked | string {
  try {
    const options = { output: { type: 'string', short: 'o' }, 'at-rest': { type: 'string' } } as const;
    const { values } = parseArgs({ args: [...args], options, strict: true });
    const output = OUTPUTS.find((each) => each === (values.output ?? 'text'));
    if (output === undefined) return `-o must be one of: ${OUTPUTS.join(', ')}`;
    const atRest = values['at-rest'] ?? AT_REST_SECONDS_DEFAULT;
    if (!/^\d{1,6}$/.test(atRest) || Number(atRest) > AT_REST_SECONDS_MAX)
      return `--at-rest must be a whole number of seconds, 0 to ${AT_REST_SECONDS_MAX}`;
    return { output, atRestSeconds: Number(atRest) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function lineOf(disagreement: Disagreement, output: Output): string | undefined {
  switch (output) {
    case 'json':
      return JSON.stringify(disagreement);
    case 'name':
      return disagreement.kind === 'order' && disagreement.next.kind === 'again' ? disagreement.orderId : undefined;
    case 'text':
      return inWords(disagreement);
  }
}

function inWords(disagreement: Disagreement): string {
  const broken = disagreement.broken.map(({ says }) => says).join('; ');
  switch (disagreement.kind) {
    case 'order': {
      const { orderId, says, next } = disagreement;
      const words = Object.entries(says).map(([service, what]) => `${service} ${what}`);
      const todo = next.kind === 'again' ? `creations again --order ${orderId}` : `by hand: ${next.why}`;
      return `order ${orderId}: ${words.join(', ')} | ${broken} | ${todo}`;
    }
    case 'stock':
      return `stock ${disagreement.broken[0]?.ids[0] ?? ''}: ${broken} | by hand, once the orders agree`;
    case 'message':
      return `message ${disagreement.broken[0]?.ids[0] ?? ''}: ${broken} | outbox list, outbox retry of that service`;
  }
}

function summary({ orders, inFlight, disagreeing }: Counts, atRestSeconds: number): string {
  const young =
    inFlight === 0 ? '' : `, ${inFlight} of them in flight (changed within ${atRestSeconds} s) and not judged`;
  return `${orders} orders read${young}; ${disagreeing === 0 ? 'all agree' : `disagreements: ${disagreeing}`}`;
}
