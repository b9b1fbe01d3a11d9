/**
 * JSON whose numbers arrive digit by digit, or are named where they cannot.
 *
 * JavaScript reads every number as a double: 9007199254740993 becomes ...992 without a word, 1e400 Infinity. A number is *inexact*
 * when the double that it is read as is another decimal number once it is printed again.
 *
 * 1. Who passes JSON on (the controller) keeps inexact numbers as they were written: JSON.stringify prints them unchanged.
 * 2. Who works with it (a service) refuses them, by the field's name: what is stored or compared must be what was sent.
 * 3. Nearly no text has digits enough for one, and only such a text is read carefully, at several times the cost.
 */

/** Where a number may begin, one of 16 digits or with an exponent of three. Trace ids and UUIDs look like that only in the middle. */
const MAYBE_INEXACT = /(?:^|[[:,\s])-?(?:[\d.]{16}|[\d.]+[eE][-+]?\d{3})/;

export interface InexactNumber {
  /** Where it stands: `data.lines[0].quantity`; empty where the number is all there is. */
  readonly field: string;
  /** As it was written; long ones are cut. */
  readonly written: string;
}

const WRITTEN_CHARS_MAX = 40;

interface Place {
  readonly holder: object;
  readonly key: string;
  readonly written: string;
}

/** Node has had it since 21, TypeScript's library has not. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => object };

/**
 * As JSON.parse, but inexact numbers become objects that JSON.stringify prints as they were written. Throws SyntaxError. What is
 * nested too deep to be read carefully is read as JSON.parse does it: it is too deep for JSON.stringify as well.
 */
export function parseExact(text: string): unknown {
  if (!MAYBE_INEXACT.test(text)) return JSON.parse(text);
  try {
    return parse(text, (written) => rawJSON(written));
  } catch (error) {
    if (error instanceof RangeError) return JSON.parse(text);
    throw error;
  }
}

/** The first inexact number of a text; undefined for one without, or that is no JSON, or nested thousands of levels deep. */
export function inexactNumberIn(text: string): InexactNumber | undefined {
  if (!MAYBE_INEXACT.test(text)) return undefined;
  const places: Place[] = [];
  try {
    const root = parse(text, (written, holder, key) => {
      places.push({ holder, key, written });
      return null;
    });
    const [first] = places;
    if (first === undefined) return undefined;
    const { holder, key, written } = first;
    // The number that is all there is stands in an object that the parser has made for it.
    const path = pathTo(root, holder) ?? [];
    const field = key === '' && path.length === 0 ? '' : nameOf([...path, stepIn(holder, key)]);
    return { field, written: written.slice(0, WRITTEN_CHARS_MAX) };
  } catch {
    return undefined;
  }
}

function parse(text: string, replace: (written: string, holder: object, key: string) => unknown): unknown {
  function revive(this: object, key: string, value: unknown, context?: { readonly source?: string }): unknown {
    const written = context?.source;
    if (typeof value !== 'number' || written === undefined || isExact(written, value)) return value;
    return replace(written, this, key);
  }
  return JSON.parse(text, revive);
}

function isExact(written: string, value: number): boolean {
  return Number.isFinite(value) && decimal(written) === decimal(String(value));
}

/** One spelling of every decimal number: its digits without zeros around them, and the power of ten of the last one. */
function decimal(number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(number) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}

type PathStep = string | number;

function stepIn(holder: object, key: string): PathStep {
  return Array.isArray(holder) ? Number(key) : key;
}

function nameOf(path: readonly PathStep[]): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${step}`))
    .join('');
}

/** The steps from the root down to this very object. */
function pathTo(root: unknown, holder: object): readonly PathStep[] | undefined {
  if (root === holder) return [];
  if (typeof root !== 'object' || root === null) return undefined;
  for (const [key, value] of Object.entries(root)) {
    const path = pathTo(value, holder);
    if (path !== undefined) return [stepIn(root, key), ...path];
  }
  return undefined;
}
