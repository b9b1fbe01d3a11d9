/**
 * Namespaces in which nothing may be removed: what they were told last, which of them the minutes pass over, and where among all that
 * rest the next look begins.
 *
 * A missing right or a guard is told in milliseconds, a webhook that hangs after ten seconds, which delays every other namespace: it is
 * asked again only every few minutes. What a minute was refused is left to the sweep, so that the minutes that follow may go before it.
 */
import type { Resting, Trouble } from './ports.ts';

type Kind = Resting['kind'];

interface Refusal {
  readonly trouble: Trouble;
  readonly atMs: number;
}

/** A sweep that begins so much later looks at what was refused by then. */
const LEFT_TO_SWEEP_MS = 4 * 60_000;

export class Refusals {
  /** In a minute, and in a look at all: by namespace. */
  readonly #last: Readonly<Record<Kind, Map<string, Refusal>>> = { minute: new Map(), all: new Map() };
  readonly #passedOver = new Map<string, Refusal>();
  /** Tokens of a list: behind those in front of it, all of which were refused. */
  readonly #placesInAll = new Map<string, string>();

  /** Why nothing goes in some namespace; undefined where something went wherever it was asked for, as far as is known. */
  get trouble(): Trouble | undefined {
    const [refusal] = [...this.#last.minute.values(), ...this.#last.all.values()];
    return refusal?.trouble;
  }

  /** @param hangs that was told late, and nothing went */
  refused(namespace: string, kind: Kind, trouble: Trouble, hangs: boolean, nowMs: number): void {
    this.#last[kind].set(namespace, { trouble, atMs: nowMs });
    if (kind === 'minute' && hangs) this.#passedOver.set(namespace, { trouble, atMs: nowMs });
  }

  /** One was removed. That the next minute goes says nothing of what was left to the sweep, but the other way round. */
  went(namespace: string, kind: Kind): void {
    this.#last.minute.delete(namespace);
    this.#passedOver.delete(namespace);
    if (kind === 'all') this.#last.all.delete(namespace);
  }

  /** A look at all found none that is refused. */
  swept(namespace: string, begunMs: number): void {
    this.#last.all.delete(namespace);
    const inMinute = this.#last.minute.get(namespace);
    if (inMinute !== undefined && inMinute.atMs <= begunMs - LEFT_TO_SWEEP_MS) this.#last.minute.delete(namespace);
  }

  /** What a namespace was told whose minutes are not to be asked for now. */
  passedOver(namespace: string, nowMs: number): Trouble | undefined {
    const refusal = this.#passedOver.get(namespace);
    return refusal === undefined || nowMs - refusal.atMs >= LEFT_TO_SWEEP_MS ? undefined : refusal.trouble;
  }

  /** Where the next look at all begins, and has begun then: at the first again, where it is not told otherwise. */
  takePlaceInAll(namespace: string): string | undefined {
    const place = this.#placesInAll.get(namespace);
    this.#placesInAll.delete(namespace);
    return place;
  }

  /** @param place a list's token; without one, that was its end */
  keepPlaceInAll(namespace: string, place: string | undefined): void {
    if (place !== undefined) this.#placesInAll.set(namespace, place);
  }

  /** The removal is another's by now. */
  forget(): void {
    for (const each of [this.#last.minute, this.#last.all, this.#passedOver, this.#placesInAll]) each.clear();
  }
}
