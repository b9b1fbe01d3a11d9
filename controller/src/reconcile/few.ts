/**
 * Sets and maps for a handful of entries that hold nothing most of the time, and take no memory of their own then.
 *
 * An empty Set takes 170 bytes, and each unfinished transaction would have a dozen: a third of what 100,000 of them take. Looking
 * through the few is as quick as hashing them. Arrays are made by what knows their length: one that has grown, by a spread or a filter,
 * has room for 16 more, which is 130 bytes.
 */
const NONE: readonly never[] = [];

function withOneMore<T>(entries: readonly T[], entry: T): readonly T[] {
  return entries.concat([entry]);
}

function without<T>(entries: readonly T[], isGone: (entry: T) => boolean): readonly T[] {
  const left = entries.filter((entry) => !isGone(entry));
  return left.length === 0 ? NONE : left.slice();
}

export class FewSet<T> {
  #entries: readonly T[] = NONE;

  get size(): number {
    return this.#entries.length;
  }

  has(entry: T): boolean {
    return this.#entries.includes(entry);
  }

  add(entry: T): void {
    if (!this.has(entry)) this.#entries = withOneMore(this.#entries, entry);
  }

  /** @returns whether it was there */
  delete(entry: T): boolean {
    if (!this.has(entry)) return false;
    this.#entries = without(this.#entries, (each) => each === entry);
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
    this.#entries = this.has(key) ? this.#replaced(key, value) : withOneMore(this.#entries, [key, value]);
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    if (!this.has(key)) return false;
    this.#entries = without(this.#entries, ([each]) => each === key);
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
