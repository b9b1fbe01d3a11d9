/**
 * What pages hold, one after the other, for several who take it at once: the next page is read while they are at this one, so that none
 * of them waits for the slowest of a page.
 */
export class ReadAhead<Item, End> {
  readonly #pages: AsyncGenerator<readonly Item[], End>;
  /** The page after the one that is taken from. */
  #ahead: Promise<IteratorResult<readonly Item[], End>> | undefined;
  #turning: Promise<void> | undefined;
  #left: readonly Item[] = [];
  #taken = 0;
  #end: { readonly value: End } | undefined;

  constructor(pages: AsyncGenerator<readonly Item[], End>) {
    this.#pages = pages;
  }

  /** Undefined once all were taken. Rejects as the pages do. */
  async take(): Promise<Item | undefined> {
    while (this.#taken === this.#left.length) {
      if (this.#end) return undefined;
      this.#turning ??= this.#turn().finally(() => (this.#turning = undefined));
      await this.#turning;
    }
    this.#taken += 1;
    return this.#left[this.#taken - 1];
  }

  /** Reads no further page; resolves once none is being read. @returns what the pages ended with, if they have */
  async close(): Promise<End | undefined> {
    await this.#ahead?.catch(() => undefined);
    await this.#pages.return(undefined as never);
    return this.#end?.value;
  }

  async #turn(): Promise<void> {
    const page = await (this.#ahead ?? this.#pages.next());
    if (page.done === true) {
      this.#end = { value: page.value };
      return;
    }
    [this.#left, this.#taken] = [page.value, 0];
    this.#ahead = this.#pages.next();
    // Whoever takes from it hears of it; nobody may.
    this.#ahead.catch(() => undefined);
  }
}
