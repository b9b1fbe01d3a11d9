/**
 * Creates ended creations once more that somebody has asked for (`creations again`): the API server or a participant has lost them.
 *
 * 1. One answer settles it: "created" and "already there" alike. The branch here has ended and answers from its fence, so nothing here
 *    would ever take the creation away again, and repeating it would bring the transaction back whenever it was removed.
 * 2. It has places of its own, few of them: customers' orders do not queue behind a restore.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../kit/src/index.ts';
import { toTransaction } from './creation.ts';
import type { DueAgain, EndedCreations } from './ended.ts';
import { namespaceGoneSeconds, refusedSeconds, retrySeconds } from './schedule.ts';
import type { CreateResult, TransactionApi } from './transaction-api.ts';

/** A quarter of the relay's: a restore shall be through in minutes, and the shop stay open meanwhile. */
const CREATES_MAX = 8;
const POLL_MS = 1_000;

export interface AgainOptions {
  readonly ended: Pick<EndedCreations, 'claim' | 'settle' | 'postpone'>;
  readonly api: TransactionApi;
  readonly metrics: { sent(result: CreateResult['kind']): void };
  readonly log: Log;
}

/** Works off what is due until it is closed; closing lets what is under way end. */
export function startAgain(options: AgainOptions): { close(): Promise<void> } {
  const stop = new AbortController();
  const running = workUntil(stop.signal, options);
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

async function workUntil(signal: AbortSignal, options: AgainOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      let more = true;
      while (more && !signal.aborted) {
        const claimed = await options.ended.claim(CREATES_MAX);
        const settled = await Promise.all(claimed.map((each) => createAgain(each, options)));
        // An API server that is away is not asked in a loop.
        more = claimed.length === CREATES_MAX && settled.includes(true);
      }
    } catch (error) {
      options.log.error({ err: error }, 'ended creations that are due again could not be worked off');
    }
    // Replicas that were started together should not ask together.
    await delay(POLL_MS * (0.75 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
  }
}

/** Whether it is done. */
async function createAgain({ creation, failures }: DueAgain, options: AgainOptions): Promise<boolean> {
  const { ended, api, metrics, log } = options;
  const { transaction } = creation;
  const result = await api.create(toTransaction(creation));
  metrics.sent(result.kind);
  switch (result.kind) {
    case 'created':
    case 'exists':
      await ended.settle(transaction);
      return true;
    case 'refused':
      log.error(
        { transaction, error: result.error },
        'the API server refuses an ended creation that was asked for again',
      );
      await ended.postpone(transaction, { seconds: refusedSeconds(Math.random()), error: result.error });
      return false;
    case 'namespace-gone':
      await ended.postpone(transaction, {
        seconds: namespaceGoneSeconds(failures + 1, Math.random()),
        error: result.error,
      });
      return false;
    case 'unavailable':
      await ended.postpone(transaction, { seconds: retrySeconds(failures + 1, Math.random()), error: result.error });
      return false;
  }
}
