/**
 * The payload schemas, and their checked-in JSON Schemas.
 */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import {
  createOrderPayloadSchema,
  LINES_MAX,
  QUANTITY_MAX,
  TOTAL_CENTS_MAX,
  UNIT_PRICE_CENTS_MAX,
} from './payloads.ts';
import { render } from './schemas.ts';

const line = { skuId: 'sku-1', quantity: 2, unitPriceCents: 250 };
const payload = { orderId: 'o1001', userId: 'u1', lines: [line], totalCents: 500 };

/** The fields that are wrong, as paths. */
function wrong(value: unknown): string[] {
  const result = createOrderPayloadSchema.safeParse(value);
  return result.success ? [] : result.error.issues.map(({ path }) => path.join('.'));
}

describe('the create-order payload', () => {
  test('of one order with its lines and total is taken', () => {
    expect(createOrderPayloadSchema.parse(payload)).toEqual(payload);
  });

  test('the largest legal order still has an exact total', () => {
    const lines = Array.from({ length: LINES_MAX }, (_, index) => ({
      skuId: `sku-${index}`,
      quantity: QUANTITY_MAX,
      unitPriceCents: UNIT_PRICE_CENTS_MAX,
    }));
    expect(Number.isSafeInteger(TOTAL_CENTS_MAX)).toBe(true);
    expect(wrong({ ...payload, lines, totalCents: TOTAL_CENTS_MAX })).toEqual([]);
  });

  test.each([
    ['no lines', { ...payload, lines: [] }, 'lines'],
    [
      'too many lines',
      { ...payload, lines: Array.from({ length: 101 }, (_, i) => ({ ...line, skuId: `s${i}` })), totalCents: 50_500 },
      'lines',
    ],
    ['one SKU twice', { ...payload, lines: [line, line], totalCents: 1000 }, 'lines.1.skuId'],
    ['a negative quantity', { ...payload, lines: [{ ...line, quantity: -1 }] }, 'lines.0.quantity'],
    ['half a piece', { ...payload, lines: [{ ...line, quantity: 0.5 }] }, 'lines.0.quantity'],
    ['a huge price', { ...payload, lines: [{ ...line, unitPriceCents: 1e300 }] }, 'lines.0.unitPriceCents'],
    ['a number as text', { ...payload, lines: [{ ...line, unitPriceCents: '250' }] }, 'lines.0.unitPriceCents'],
    ['a total that is not the sum', { ...payload, totalCents: 501 }, 'totalCents'],
    ['an id in capitals', { ...payload, orderId: 'O1001' }, 'orderId'],
    ['an id too long for a transaction name', { ...payload, orderId: 'o'.repeat(51) }, 'orderId'],
    ['an id that ends in a line break', { ...payload, orderId: 'o1001\n' }, 'orderId'],
    ['nothing', undefined, ''],
  ])('%s is refused by the field', (_name, value, field) => {
    expect(wrong(value)).toContain(field);
  });

  test('unknown fields are refused, on the payload and on a line', () => {
    expect(createOrderPayloadSchema.safeParse({ ...payload, phone: '1' }).success).toBe(false);
    expect(createOrderPayloadSchema.safeParse({ ...payload, lines: [{ ...line, name: 'shoe' }] }).success).toBe(false);
    expect(
      createOrderPayloadSchema.safeParse(JSON.parse(`{"__proto__": {}, ${JSON.stringify(payload).slice(1)}`)).success,
    ).toBe(false);
  });
});

describe('the JSON Schema files', () => {
  const folder = new URL('../schemas/', import.meta.url);

  test('are what the zod schemas say (npm run generate)', () => {
    const rendered = render();
    expect(readdirSync(folder).sort()).toEqual([...rendered.keys(), 'participant.openapi.json'].sort());
    for (const [name, text] of rendered) expect(readFileSync(new URL(name, folder), 'utf8')).toBe(text);
  });
});
