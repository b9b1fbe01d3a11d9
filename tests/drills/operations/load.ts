/**
 * Customers who never stop: so many a second begin, each lives an order's life, most to the goods in their hands.
 *
 * An outage may outlast a customer's patience: he goes away, and what he began has to come to its end all the same. That is what the
 * invariants say afterwards.
 */
import { waitFor } from '../../../local/deadline.ts';
import type { Customers } from '../../world/customers.ts';
import { liveToTheHand } from '../../world/lives.ts';

const LAST_ONE_MS = 180_000;
const BETWEEN_MS = 50;

export class Load {
  readonly #customers: Customers;
  readonly #underWay = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #startedMs = performance.now();
  #begun = 0;
  #satisfied = 0;
  #gone = 0;

  constructor(customers: Customers, perSecond: number) {
    this.#customers = customers;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#startedMs) / 1_000) * perSecond;
      while (this.#begun < due) this.#begin();
    }, BETWEEN_MS);
  }

  get counts(): string {
    return `${this.#begun} customers: ${this.#satisfied} had their way, ${this.#gone} lost patience, ${this.#underWay.size} under way`;
  }

  /** Nobody begins any more; resolves when the last one has gone. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await waitFor(async () => this.#underWay.size === 0, { what: 'the last customer to go', deadlineMs: LAST_ONE_MS });
  }

  /** Nobody begins any more, and nobody is waited for. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #begin(): void {
    const life = liveToTheHand(this.#customers, this.#begun++)
      .then(
        () => void (this.#satisfied += 1),
        () => void (this.#gone += 1),
      )
      .finally(() => this.#underWay.delete(life));
    this.#underWay.add(life);
  }
}
