/**
 * A remover over transactions in memory, on a clock that its test moves, and what it says.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { Log } from '../runtime/log.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import type { ArchiveResult, Trouble } from './ports.ts';
import { Remover, type RemoverOptions } from './remover.ts';
import { RestingFake } from './resting-fake.ts';

export const START = Date.UTC(2030, 0, 1, 12, 0, 30);
export const MINUTE_MS = 60_000;

export class ManualRemover {
  readonly clock = new ManualClock(START);
  readonly api = new RestingFake(this.clock);
  readonly lines: string[] = [];
  readonly troubles: (Trouble | undefined)[] = [];
  readonly counts: Record<string, number> = {};
  readonly #running: Remover[] = [];

  start(more: Partial<RemoverOptions> = {}): Remover {
    const write = (_fields: unknown, sentence: string) => void this.lines.push(sentence);
    const log: Log = { debug: write, info: write, warn: write, error: write };
    const { api, clock, counts, troubles } = this;
    const remover = new Remover({
      ...{ resting: api, isOurs: () => true, perSecond: 200, clock, apiClock: clock, log },
      onRemoved: (result, transactions) => (counts[result] = (counts[result] ?? 0) + transactions),
      onTrouble: (trouble) => troubles.push(trouble),
      ...more,
    });
    this.#running.push(remover);
    remover.start();
    return remover;
  }

  /** So many transactions with an `expires` so many minutes after the hour. */
  endInMinute(minute: number, transactions: number, namespace = 'shop'): void {
    const expires = `2030-01-01T12:${String(minute).padStart(2, '0')}Z`;
    for (let number = 0; number < transactions; number += 1)
      this.api.ended(`ended-${minute}-${number}-${namespace}`, expires, namespace);
  }

  async close(): Promise<void> {
    const stopped = Promise.all(this.#running.splice(0).map((remover) => remover.stop()));
    await this.clock.advance(MINUTE_MS);
    await stopped;
  }
}

/** An archive that keeps what it is given, unless told otherwise. */
export class ArchiveFake {
  readonly kept: string[] = [];
  away = false;
  readonly never = new Set<string>();

  async keep(transactions: readonly OrderTransaction[]): Promise<ArchiveResult> {
    if (this.away) return { kind: 'unavailable', message: 'the database is away' };
    const [refused, taken] = [true, false].map((is) =>
      transactions.filter((each) => this.never.has(each.metadata.name) === is),
    );
    this.kept.push(...(taken ?? []).map(({ metadata }) => metadata.name));
    return { kind: 'kept', refused: new Map((refused ?? []).map((each) => [each, 'it cannot be stored'])) };
  }
}
