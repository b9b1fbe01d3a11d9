/**
 * The same resource in several namespaces, read as one: an informer each, because a right to watch one namespace is not
 * a right to watch all.
 */
import { Informer, type InformerOptions, type OnChange } from './informer.ts';
import { pathOf, type Resource, type StoredObject } from './stored-object.ts';

export class Informers<T extends StoredObject> {
  readonly resource: Resource;
  readonly #byNamespace: ReadonlyMap<string, Informer<T>>;

  constructor(resource: Resource, namespaces: readonly string[], options: Omit<InformerOptions, 'path'>) {
    this.resource = resource;
    this.#byNamespace = new Map(
      namespaces.map((namespace) => [namespace, new Informer<T>({ ...options, path: pathOf(resource, namespace) })]),
    );
  }

  start(): void {
    for (const informer of this.#all()) informer.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.stop()));
  }

  get namespaces(): readonly string[] {
    return [...this.#byNamespace.keys()];
  }

  get synced(): boolean {
    return this.#all().every((informer) => informer.synced);
  }

  async whenSynced(): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.whenSynced()));
  }

  /** Whether every namespace has been listed, but for those that may not be; of which not all may be. */
  get usable(): boolean {
    const all = this.#all();
    return all.every(({ synced, forbidden }) => synced || forbidden) && all.some(({ synced }) => synced);
  }

  /** Resolves once of every namespace it is known what is there, or that it may not be read. */
  async whenKnown(): Promise<void> {
    await Promise.all(this.#all().map((informer) => informer.whenKnown()));
  }

  /** The namespaces that may not be read. */
  get forbidden(): readonly string[] {
    return [...this.#byNamespace].filter(([, { forbidden }]) => forbidden).map(([namespace]) => namespace);
  }

  /** The informer that has this key, or undefined for a namespace that is not watched. */
  of(key: string): Informer<T> | undefined {
    return this.#byNamespace.get(key.slice(0, key.indexOf('/')));
  }

  get(key: string): T | undefined {
    return this.of(key)?.get(key);
  }

  *list(): Generator<T, void, void> {
    for (const informer of this.#all()) yield* informer.list();
  }

  get size(): number {
    return this.#all().reduce((sum, informer) => sum + informer.size, 0);
  }

  /** Of the informer that has heard nothing for the longest; what is forbidden cannot be heard of, and is told apart. */
  lastEventAgeMs(): number {
    const allowed = this.#all().filter(({ forbidden }) => !forbidden);
    return Math.max(0, ...allowed.map((informer) => informer.lastEventAgeMs()));
  }

  /** See `Informer.stalledMs`. */
  stalledMs(): number {
    return Math.max(0, ...this.#all().map((informer) => informer.stalledMs()));
  }

  onChange(listener: OnChange<T>): void {
    for (const informer of this.#all()) informer.onChange(listener);
  }

  /** See `Informer.onList`. */
  onList(listener: (informer: Informer<T>, listNumber: number, namespace: string) => void): void {
    for (const [namespace, informer] of this.#byNamespace) {
      informer.onList((listNumber) => listener(informer, listNumber, namespace));
    }
  }

  #all(): Informer<T>[] {
    return [...this.#byNamespace.values()];
  }
}
