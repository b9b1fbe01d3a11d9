/**
 * What does not belong into a JSON body, and the places where it can be put.
 */

/** A place in a body. */
export interface Site {
  /** Empty for the whole. */
  readonly path: readonly (string | number)[];
  /** What a 400 calls it. */
  readonly names: readonly string[];
  readonly isObject?: boolean;
}

interface Junk {
  readonly label: string;
  /** Of a number, a text that stands in the JSON as it is: see `jsonText`. */
  readonly value: unknown;
}

const AS_IT_IS = 'as-it-is:';

/** JSON in which the numbers stand that no JavaScript number could carry there. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll(new RegExp(`"${AS_IT_IS}([^"]*)"`, 'g'), '$1');
}

const deep = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

export const JUNK: readonly [Junk, ...Junk[]] = [
  { label: 'null', value: null },
  { label: 'true', value: true },
  { label: 'an object', value: {} },
  { label: 'an empty list', value: [] },
  { label: 'a list', value: [1, 'a'] },
  { label: 'a deep list', value: deep(500) },
  { label: 'a negative number', value: -1 },
  { label: 'a fraction', value: 0.5 },
  { label: 'a huge number', value: 1e21 },
  { label: 'a number beyond 2^53', value: `${AS_IT_IS}9007199254740993` },
  { label: 'an infinite number', value: `${AS_IT_IS}1e999` },
  { label: 'minus zero', value: `${AS_IT_IS}-0` },
  { label: 'a number as text', value: '1' },
  { label: 'an empty text', value: '' },
  { label: 'a long text', value: 'x'.repeat(5_000) },
  { label: 'capitals', value: 'UPPER' },
  { label: 'a NUL', value: 'a\u0000b' },
  { label: 'a line break at the end', value: 'a\n' },
  { label: 'half a surrogate pair', value: 'a\ud800' },
  { label: 'an emoji', value: '\u{1F600}' },
  { label: 'a text from right to left', value: '\u202Ea' },
];

export const ODD_NAMES: readonly [string, ...string[]] = [
  'note',
  '__proto__',
  'constructor',
  'toString',
  '',
  'a\u0000b',
  '\ud800',
  '\u{1F600}',
  'n'.repeat(300),
];

/** How a name that a caller made up is repeated to it: cut, and without what cannot be printed. */
export function printable(name: string): string {
  return name.slice(0, 90).replaceAll(/[\p{Cc}\p{Cs}]/gu, '\u{FFFD}');
}

/** The whole, and everything in it. */
export function bodySites(body: unknown, path: Site['path'] = []): readonly Site[] {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  const inside = Array.isArray(body)
    ? body.map((item: unknown, index) => [index, item] as const)
    : isObject
      ? Object.entries(body)
      : [];
  return [
    { path, names: namesOf(path), isObject },
    ...inside.flatMap(([step, item]) => bodySites(item, [...path, step])),
  ];
}

/** Another number in a line makes the total wrong, where there is one. */
function namesOf(path: Site['path']): readonly string[] {
  const name = path.findLast((step) => typeof step === 'string');
  if (name === undefined) return ['body'];
  return path[0] === 'lines' ? [name, 'totalCents'] : [name];
}

/** A copy of the body with this at that place; undefined takes the place away. */
export function changedAt(body: unknown, path: Site['path'], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (Array.isArray(body)) {
    return body.map((item: unknown, index) => (index === step ? changedAt(item, rest, value) : item));
  }
  const fields = Object.entries(body as object).filter(([name]) => name !== step);
  const present = Object.getOwnPropertyDescriptor(body, step)?.value as unknown;
  const changed = changedAt(present, rest, value);
  // From entries: an assignment to __proto__ would be none.
  return Object.fromEntries(changed === undefined ? fields : [...fields, [step, changed]]);
}
