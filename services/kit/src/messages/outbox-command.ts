/**
 * The command line of the outbox: `node services/payment/src/main.ts outbox list`, and `outbox retry [--id ID]` once what a
 * message was refused for is mended. The running service publishes it within a second.
 */
import { parseArgs } from 'node:util';
import type { Pool } from 'pg';
import { listMessages, retryMessages, type ListedMessage } from './outbox.ts';

export interface OutboxCommand {
  /** What follows the word `outbox`. */
  readonly args: readonly string[];
  readonly pool: Pool;
  readonly print: (line: string) => void;
}

export const OUTBOX_USAGE = 'outbox list | outbox retry [--id <id as listed>]';

const LISTED_MAX = 100;

/** Resolves with the exit code: 0 done, 1 nothing was there to retry or nobody knows, 2 the command line is not usable. */
export async function outboxCommand({ args, pool, print }: OutboxCommand): Promise<number> {
  const asked = readArguments(args);
  if (typeof asked === 'string') {
    print(`${asked}\nusage: ${OUTBOX_USAGE}`);
    return 2;
  }
  try {
    if (asked.verb === 'list') {
      const messages = await listMessages(pool, LISTED_MAX);
      print(messages.length === 0 ? 'the outbox is empty' : messages.map(describe).join('\n'));
      return 0;
    }
    const retried = await retryMessages(pool, asked.id);
    if (retried.length === 0) {
      print(asked.id === undefined ? 'no message is refused' : `no refused message has the id ${asked.id}`);
      return 1;
    }
    print(retried.map((id) => `${id} is published again`).join('\n'));
    return 0;
  } catch (error) {
    print(`it is not known whether anything was changed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

type Asked = { readonly verb: 'list' } | { readonly verb: 'retry'; readonly id: string | undefined };

/** A sentence where the arguments are not usable. */
function readArguments(args: readonly string[]): Asked | string {
  const [verb, ...rest] = args;
  try {
    const { id } = parseArgs({ args: rest, options: { id: { type: 'string' } }, strict: true }).values;
    if (verb === 'retry') return { verb, id };
    if (verb === 'list' && id === undefined) return { verb };
    return verb === 'list' ? '--id goes with retry' : 'say what to do with the outbox: list or retry';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function describe({ id, type, stream, attempts, refusedReason, ageSeconds }: ListedMessage): string {
  const state = refusedReason === null ? 'waits for its receipt' : `refused by ${refusedReason}`;
  return `${id}  ${type} to ${stream}, ${Math.round(ageSeconds)} s old, published ${attempts} times, ${state}`;
}
