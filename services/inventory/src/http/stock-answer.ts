/**
 * A SKU's stock as its routes take and give it.
 */
import { z } from 'zod';
import { problem, type Reply } from '../../../kit/src/index.ts';
import { idSchema, problemSchema } from '../../../protocol/src/index.ts';

export const skuParams = z.strictObject({ skuId: idSchema });
const units = z.int().min(0);
export const stockSchema = z
  .strictObject({
    skuId: idSchema,
    stocked: units.describe('All units there are'),
    sellable: units.describe('Units no order has reserved'),
    frozen: units.describe('Units reserved by orders that are not paid'),
    sold: units.describe('Units of paid orders'),
  })
  .describe('sellable + frozen + sold = stocked');

export const UNKNOWN_SKU = { description: 'This SKU was never stocked', schema: problemSchema };

export function unknownSku(skuId: string): Reply {
  return problem(404, { detail: `SKU ${skuId} was never stocked; PUT /stock/${skuId} first`, code: 'unknown-sku' });
}
