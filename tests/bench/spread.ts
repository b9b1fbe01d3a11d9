/**
 * A sample of measurements as the figures that are printed of it: its median and how far it spreads.
 */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
  readonly max: number;
  /** Every measurement, in the order they were taken. */
  readonly all: readonly number[];
}

export function spread(all: readonly number[]): Spread {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number) => quantile(sorted, share);
  return { median: at(0.5), min: at(0), lowerQuartile: at(0.25), upperQuartile: at(0.75), max: at(1), all };
}

/** Linear between the two nearest measurements (Hyndman and Fan's type 7, as in most statistics programs). */
function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new Error('no measurements, so no quantile');
  return below + (above - below) * (position - Math.floor(position));
}

export function summarize({ median, min, lowerQuartile, upperQuartile, max }: Spread, unit: string): string {
  const figure = (value: number) => value.toFixed(2);
  return (
    `median ${figure(median)} ${unit}, quartiles ${figure(lowerQuartile)} to ${figure(upperQuartile)}, ` +
    `range ${figure(min)} to ${figure(max)}`
  );
}
