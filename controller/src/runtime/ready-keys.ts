/**
 * Keys that wait for a worker, and whose turn it is.
 *
 *  1. News goes before routine: ten thousand transactions that are asked again by the clock must not keep a new order waiting.
 *  2. Where both wait, every fourth turn is routine's: deadlines are kept by it, too.
 *  3. Within each the first to come is the first to go. Routine that becomes news goes behind the news there is.
 *
 * The source of it is controller-runtime's priority queue, where what a first list or a resync brings goes last.
 */

/** Something has happened; or the clock, a start or another's return says that one should look. */
export type Rank = 'news' | 'routine';

const NEWS_IN_A_ROW_MAX = 3;

/** Taken from the front this often before the array is cut: shifting it every time would be quadratic. */
const CUT_ENTRIES = 1024;

export interface ReadyKey {
  readonly key: string;
  readonly rank: Rank;
  /** When it came, on the clock it was pushed by. */
  readonly sinceMs: number;
}

/** First in, first out; what was dropped from the middle is passed over. */
class Lane {
  #keys: ReadyKey[] = [];
  #taken = 0;
  readonly #dropped = new Set<ReadyKey>();

  get size(): number {
    return this.#keys.length - this.#taken - this.#dropped.size;
  }

  push(ready: ReadyKey): void {
    this.#keys.push(ready);
  }

  drop(ready: ReadyKey): void {
    this.#dropped.add(ready);
  }

  take(): ReadyKey | undefined {
    for (;;) {
      const first = this.#keys[this.#taken];
      if (first === undefined) return undefined;
      this.#taken += 1;
      if (this.#taken >= CUT_ENTRIES || this.#taken === this.#keys.length) {
        this.#keys = this.#keys.slice(this.#taken);
        this.#taken = 0;
      }
      if (!this.#dropped.delete(first)) return first;
    }
  }
}

export class ReadyKeys {
  readonly #lanes: Readonly<Record<Rank, Lane>> = { news: new Lane(), routine: new Lane() };
  readonly #routine = new Map<string, ReadyKey>();
  #newsInARow = 0;

  get size(): number {
    return this.#lanes.news.size + this.#lanes.routine.size;
  }

  /** A key that is not in here. */
  push(key: string, rank: Rank, nowMs: number): void {
    const ready = { key, rank, sinceMs: nowMs };
    this.#lanes[rank].push(ready);
    if (rank === 'routine') this.#routine.set(key, ready);
  }

  /** There is news of a key that waits as routine. */
  promote(key: string): void {
    const ready = this.#routine.get(key);
    if (ready === undefined) return;
    this.#routine.delete(key);
    this.#lanes.routine.drop(ready);
    this.#lanes.news.push({ ...ready, rank: 'news' });
  }

  /** @param routineToo whether there is a worker for routine just now */
  take(routineToo = true): ReadyKey | undefined {
    const { news, routine } = this.#lanes;
    const isRoutine = routineToo && routine.size > 0 && (news.size === 0 || this.#newsInARow >= NEWS_IN_A_ROW_MAX);
    this.#newsInARow = isRoutine || routine.size === 0 ? 0 : this.#newsInARow + 1;
    const taken = (isRoutine ? routine : news).take();
    if (isRoutine && taken !== undefined) this.#routine.delete(taken.key);
    return taken;
  }
}
