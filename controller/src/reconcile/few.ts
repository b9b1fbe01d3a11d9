/**
 * Sets and maps for a handful of entries that hold nothing most of the time, and take no memory of their own then.
 *
 * An empty Set takes 170 bytes, and each unfinished transaction would have a dozen: a third of what 100,000 of them take. Looking
 * through the few is as quick as hashing them.
 */
const NONE: readonly never[] = [];

export class FewSet<T> {
  #entries: readonly T[] = NONE;

  get size(): number {
    return this.#entries.length;
  }

  has(entry: T): boolean {
    return this.#entries.includes(entry);
  }

  add(entry: T): void {
    if (!this.has(entry)) this.#entries = [...this.#entries, entry];
  }

  /** @returns whether it was there */
  delete(entry: T): boolean {
    if (!this.has(entry)) return false;
    const left = this.#entries.filter((each) => each !== entry);
    this.#entries = left.length === 0 ? NONE : left;
    return true;
  }

  clear(): void {
    this.#entries = NONE;
  }

  /** In the order in which they came; what is added or deleted meanwhile changes nothing. */
  [Symbol.iterator](): Iterator<T> {
    return this.#entries[Symbol.iterator]();
  }
}

export class FewMap<V> {
  #entries: readonly (readonly [key: string, value: V])[] = NONE;

  get size(): number {
    return this.#entries.length;
  }

  has(key: string): boolean {
    return this.#entries.some(([each]) => each === key);
  }

  get(key: string): V | undefined {
    return this.#entries.find(([each]) => each === key)?.[1];
  }

  set(key: string, value: V): void {
    const others = this.#entries.filter(([each]) => each !== key);
    this.#entries = others.length === this.#entries.length ? [...others, [key, value]] : this.#replaced(key, value);
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    const left = this.#entries.filter(([each]) => each !== key);
    if (left.length === this.#entries.length) return false;
    this.#entries = left.length === 0 ? NONE : left;
    return true;
  }

  keys(): readonly string[] {
    return this.#entries.map(([key]) => key);
  }

  values(): readonly V[] {
    return this.#entries.map(([, value]) => value);
  }

  [Symbol.iterator](): Iterator<readonly [key: string, value: V]> {
    return this.#entries[Symbol.iterator]();
  }

  #replaced(key: string, value: V): readonly (readonly [key: string, value: V])[] {
    return this.#entries.map((entry) => (entry[0] === key ? [key, value] : entry));
  }
}
