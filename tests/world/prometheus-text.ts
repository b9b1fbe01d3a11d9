/**
 * What a process says of itself at /metrics, in Prometheus's text format.
 */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^(?<name>[a-zA-Z_:][\w:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)/;
const LABEL = /(?<name>\w+)="(?<value>(?:[^"\\]|\\.)*)"/g;

/** The samples of one metric. */
export function samplesOf(text: string, metric: string): readonly Sample[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(metric))
    .map(parseSample)
    .filter((sample) => sample?.name === metric) as readonly Sample[];
}

/** The sum of a metric's samples that have these labels; 0 where there is none yet. */
export function sumOf(text: string, metric: string, labels: Readonly<Record<string, string>> = {}): number {
  return samplesOf(text, metric)
    .filter((sample) => Object.entries(labels).every(([name, value]) => sample.labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

function parseSample(line: string): Sample | undefined {
  const { name, labels = '', value } = SAMPLE.exec(line)?.groups ?? {};
  if (name === undefined) return undefined;
  const pairs = [...labels.matchAll(LABEL)].map(({ groups }) => [groups?.name ?? '', groups?.value ?? ''] as const);
  return { name, labels: Object.fromEntries(pairs), value: Number(value) };
}
