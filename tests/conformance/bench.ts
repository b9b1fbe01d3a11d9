/**
 * Where checks are run: gives them fresh branches, sends their calls, and clears away what they leave tried.
 *
 * 1. "Not now" (425, 429, 503) is asked again, not before its Retry-After, for ASK_AGAIN_MS at most: that is the protocol,
 *    and no fault. Where calls overlap, any other unknown answer is asked again too.
 * 2. What was tried and not ended is cancelled after the check, so that a run does not use up what others need.
 * 3. The first transaction of an order id is named as the order's creation: participants may hold it to its name.
 */
import { randomBytes } from 'node:crypto';
import { waitFor } from '../../local/deadline.ts';
import { createName, type Operation } from '../../services/protocol/src/index.ts';
import { requestOf, type Branch, type Caller, type Variation } from './calls.ts';
import { orderIdOf, type PayloadSource } from './payload-texts.ts';
import type { Answer, Transport } from './transport.ts';

/** Above any sensible Retry-After; a participant that is busy for longer is not one to check. */
const ASK_AGAIN_MS = 10_000;
/** Between two questions where the answer names no time. */
const ASK_EVERY_MS = 50;

export type Patience = 'while it says "not now"' | 'while nobody knows';

export interface BenchSettings extends Caller {
  readonly branch: string;
  readonly namespace: string;
}

export class Bench {
  readonly settings: BenchSettings;
  readonly #transport: Transport;
  readonly #run = randomBytes(4).toString('hex');
  readonly #attempts = new Map<string, number>();
  /** Branches that may hold something. */
  readonly #open = new Set<Branch>();
  /** Of the transactions that are named after their order. */
  readonly #orderIds = new Set<string>();
  #begun = 0;

  constructor(settings: BenchSettings, transport: Transport) {
    this.settings = settings;
    this.#transport = transport;
  }

  begin(source: PayloadSource): Branch {
    return this.beginWith(source.fresh(this.freshOrderId()));
  }

  beginWith(payload: unknown): Branch {
    const { namespace, branch } = this.settings;
    const orderId = orderIdOf(payload);
    const isFirst = orderId !== undefined && !this.#orderIds.has(orderId);
    const name = isFirst ? createName(orderId) : `conformance-${this.#run}-${(this.#begun += 1)}`;
    if (isFirst) this.#orderIds.add(orderId);
    return { transaction: { namespace, name }, name: branch, payload };
  }

  freshOrderId(): string {
    return `conformance-${randomBytes(6).toString('hex')}`;
  }

  async call(
    branch: Branch,
    operation: Operation,
    variation?: Variation,
    patience: Patience = 'while it says "not now"',
  ): Promise<Answer> {
    if (operation === 'try') this.#open.add(branch);
    let last: Answer | undefined;
    let notBeforeMs = 0;
    const ask = async (): Promise<Answer | undefined> => {
      if (performance.now() < notBeforeMs) return undefined;
      last = await this.#transport.send(
        requestOf(this.settings, branch, operation, this.#attempt(branch, operation), variation),
      );
      if (!isToBeAskedAgain(last, patience)) return last;
      notBeforeMs = performance.now() + retryAfterMs(last);
      return undefined;
    };
    const answer = await waitFor(ask, { what: 'an answer', deadlineMs: ASK_AGAIN_MS, everyMs: ASK_EVERY_MS }).catch(
      (error: unknown) => {
        if (last === undefined) throw error;
        return last;
      },
    );
    if (operation !== 'try' && isSuccess(answer)) this.#open.delete(branch);
    return answer;
  }

  /** Cancels what is still open. What a participant says to that is judged elsewhere. */
  async leave(): Promise<void> {
    for (const branch of this.#open) await this.call(branch, 'cancel');
    this.#open.clear();
  }

  #attempt(branch: Branch, operation: Operation): number {
    const key = `${branch.transaction.name}/${operation}`;
    const attempt = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempt);
    return attempt;
  }
}

function isSuccess(answer: Answer): boolean {
  return answer.kind === 'answered' && answer.status >= 200 && answer.status <= 299;
}

function isToBeAskedAgain(answer: Answer, patience: Patience): boolean {
  if (answer.kind === 'none') return patience === 'while nobody knows' && answer.why !== 'unreachable';
  if ([425, 429, 503].includes(answer.status)) return true;
  return patience === 'while nobody knows' && answer.status >= 500;
}

/** Seconds only; the controller also reads dates. */
function retryAfterMs(answer: Answer): number {
  const value = answer.kind === 'answered' ? answer.headers['retry-after'] : undefined;
  return /^\d{1,4}$/.test(value ?? '') ? Number(value) * 1_000 : 0;
}
