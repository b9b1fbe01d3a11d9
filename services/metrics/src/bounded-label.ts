/**
 * A label whose values are chosen by people, or by whoever may write a resource or a message: flows, participants, streams.
 *
 * A value that was once used is a series for as long as the process lives, here and for months in Prometheus. So only the first
 * `valuesMax` different ones are shown as they are, and all others together under a name that none of them can have.
 */
export const OTHERS = '(others)';

export class BoundedLabel {
  readonly #valuesMax: number;
  readonly #shown = new Set<string>();

  constructor(valuesMax: number) {
    this.#valuesMax = valuesMax;
  }

  of(value: string): string {
    if (this.#shown.has(value)) return value;
    if (this.#shown.size >= this.#valuesMax) return OTHERS;
    this.#shown.add(value);
    return value;
  }
}
