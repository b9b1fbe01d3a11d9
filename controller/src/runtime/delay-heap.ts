/**
 * Keys and the moments they fall due: a binary min-heap with at most one live entry per key.
 *
 * A key that is moved to an earlier moment leaves its old entry behind; such entries are skipped when they surface, and
 * swept when they outnumber the live ones.
 */

interface Entry {
  readonly key: string;
  readonly atMs: number;
}

/** Below this many entries a sweep costs more than the memory it gives back. */
const SWEEP_ENTRIES_MIN = 256;

export class DelayHeap {
  #heap: Entry[] = [];
  readonly #dueByKey = new Map<string, number>();

  get size(): number {
    return this.#dueByKey.size;
  }

  /** Schedules `key`, unless it is scheduled for an earlier moment already. Says whether anything changed. */
  schedule(key: string, atMs: number): boolean {
    const scheduledMs = this.#dueByKey.get(key);
    if (scheduledMs !== undefined && scheduledMs <= atMs) return false;
    this.#dueByKey.set(key, atMs);
    this.#push({ key, atMs });
    if (this.#heap.length > SWEEP_ENTRIES_MIN && this.#heap.length > 2 * this.#dueByKey.size) this.#sweep();
    return true;
  }

  delete(key: string): void {
    this.#dueByKey.delete(key);
  }

  /** The earliest moment at which something falls due. */
  earliestMs(): number | undefined {
    this.#dropStale();
    return this.#heap[0]?.atMs;
  }

  /** Takes out one key that is due at `nowMs`. */
  takeDue(nowMs: number): string | undefined {
    this.#dropStale();
    const first = this.#heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.#pop();
    this.#dueByKey.delete(first.key);
    return first.key;
  }

  #dropStale(): void {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (this.#dueByKey.get(first.key) === first.atMs) return;
      this.#pop();
    }
  }

  #sweep(): void {
    // A sorted array is a heap.
    this.#heap = [...this.#dueByKey].map(([key, atMs]) => ({ key, atMs })).sort((a, b) => a.atMs - b.atMs);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (above.atMs <= entry.atMs) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && (heap[right] as Entry).atMs < (heap[left] as Entry).atMs ? right : left;
      const below = heap[child] as Entry;
      if (below.atMs >= last.atMs) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}
