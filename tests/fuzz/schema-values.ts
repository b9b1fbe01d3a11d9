/**
 * Values that a JSON Schema allows, with its edges well in sight.
 *
 * Two rules of our payloads are beyond JSON Schema and stand in a description's words: one line per SKU, and a total that is the sum
 * of the lines. They are kept here by these words, so a document that stopped saying them would be found out by a 400.
 */
import fc from 'fast-check';
import type { JsonSchema } from './openapi-document.ts';

/** Ids of things that exist, by the name of the parameter or field that takes them. */
export type KnownIds = Readonly<Record<string, readonly string[]>>;

const ARRAY_ITEMS_USUAL = 3;
const ONE_LINE_PER_SKU = 'one per SKU';
const SUM_OF_LINES = 'sum of quantity * unitPriceCents over all lines';
/** What a free string may hold: anything but what JSON itself cannot carry. */
const FREE_TEXT_CHARS_MAX = 200;

interface Line {
  readonly skuId: string;
  readonly quantity: number;
  readonly unitPriceCents: number;
}

export function valuesOf(schema: JsonSchema, known: KnownIds, name = ''): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => valuesOf(one, known, name)));
  switch (schema.type) {
    case 'object':
      return objects(schema, known);
    case 'array':
      return arrays(schema, known);
    case 'string':
      return strings(schema, known[name] ?? []);
    case 'integer':
      return integers(schema);
    case 'boolean':
      return fc.boolean();
    case undefined:
    default:
      throw new Error(`the field "${name}" has a schema of which no values can be made: ${JSON.stringify(schema)}`);
  }
}

function objects(schema: JsonSchema, known: KnownIds): fc.Arbitrary<unknown> {
  const { properties = {}, required = [] } = schema;
  const model = Object.fromEntries(
    Object.entries(properties).map(([name, property]) => [name, valuesOf(property, known, name)]),
  );
  const values = fc.record(model, { requiredKeys: [...required] });
  const summed = Object.entries(properties).find(([, { description = '' }]) => description.includes(SUM_OF_LINES));
  if (summed === undefined) return values;
  return values.map((value) => ({ ...value, [summed[0]]: sumOf(value.lines as readonly Line[]) }));
}

function sumOf(lines: readonly Line[]): number {
  return lines.reduce((sum, { quantity, unitPriceCents }) => sum + quantity * unitPriceCents, 0);
}

function arrays(schema: JsonSchema, known: KnownIds): fc.Arbitrary<unknown> {
  const { items = {}, minItems = 0, maxItems = 100, description = '' } = schema;
  const item = valuesOf(items, known);
  const list = (minLength: number, maxLength: number): fc.Arbitrary<unknown> =>
    description.includes(ONE_LINE_PER_SKU)
      ? fc.uniqueArray(item, { minLength, maxLength, selector: (line) => (line as Line).skuId, size: 'max' })
      : fc.array(item, { minLength, maxLength, size: 'max' });
  const usual = Math.max(minItems, Math.min(maxItems, ARRAY_ITEMS_USUAL));
  return fc.oneof({ weight: 30, arbitrary: list(minItems, usual) }, { weight: 1, arbitrary: list(maxItems, maxItems) });
}

function strings(schema: JsonSchema, known: readonly string[]): fc.Arbitrary<string> {
  const { pattern, minLength = 0, maxLength = FREE_TEXT_CHARS_MAX } = schema;
  if (pattern === undefined) return fc.string({ minLength, maxLength, unit: 'grapheme' });
  const form = new RegExp(pattern);
  const fits = (text: string): boolean => text.length >= minLength && text.length <= maxLength && form.test(text);
  const edges = [minLength, maxLength].map((length) => 'a'.repeat(length)).filter(fits);
  return fc.oneof(
    { weight: 4, arbitrary: fc.stringMatching(form).filter(fits) },
    ...(edges.length === 0 ? [] : [{ weight: 1, arbitrary: fc.constantFrom(...edges) }]),
    ...(known.length === 0 ? [] : [{ weight: 4, arbitrary: fc.constantFrom(...known) }]),
  );
}

function integers({ minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER }: JsonSchema) {
  return fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: minimum, max: Math.min(maximum, minimum + 1_000) }) },
    { weight: 1, arbitrary: fc.integer({ min: minimum, max: maximum }) },
    { weight: 1, arbitrary: fc.constantFrom(minimum, maximum) },
  );
}
