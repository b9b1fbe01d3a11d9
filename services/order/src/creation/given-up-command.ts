/**
 * The command line of `creations given-up`: lists what is not sent any more.
 */
import type { Pool } from 'pg';
import { listGivenUp } from './given-up.ts';
import { CREATIONS_USAGE } from './usage.ts';

export interface GivenUpCommand {
  /** What follows the words `creations given-up`. */
  readonly args: readonly string[];
  readonly pool: Pool;
  readonly print: (line: string) => void;
}

const LISTED_MAX = 1_000;
const DAY_SECONDS = 24 * 3_600;

/** Resolves with the exit code: 0 listed, also where there is nothing, 1 it could not be read, 2 the command line is not usable. */
export async function givenUpCommand({ args, pool, print }: GivenUpCommand): Promise<number> {
  if (args.length > 0) {
    print(`given-up takes no options\n${CREATIONS_USAGE}`);
    return 2;
  }
  try {
    const rows = await listGivenUp(pool, LISTED_MAX);
    for (const { transaction, flow, orderId, ageSeconds, lastError } of rows) {
      const days = Math.floor(ageSeconds / DAY_SECONDS);
      const why = lastError ?? 'its branch has not ended';
      print(`${transaction} (${flow}, order ${orderId}), wanted for ${days} days: ${why}`);
    }
    if (rows.length === 0) print('no creation is given up');
    if (rows.length === LISTED_MAX) print(`and perhaps more: these are the oldest ${LISTED_MAX}`);
    return 0;
  } catch (error) {
    print(`the creations could not be read: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}
