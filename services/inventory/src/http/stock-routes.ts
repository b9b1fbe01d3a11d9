/**
 * PUT and GET /stock/:skuId.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { problem, route, type Route } from '../../../kit/src/index.ts';
import { idSchema, problemSchema } from '../../../protocol/src/index.ts';
import { getStock, putStock, STOCKED_MAX } from '../stock.ts';

const skuParams = z.strictObject({ skuId: idSchema });
const stockedBody = z.strictObject({ stocked: z.int().min(0).max(STOCKED_MAX) });
const units = z.int().min(0);
const stockSchema = z
  .strictObject({
    skuId: idSchema,
    stocked: units.describe('All units there are'),
    sellable: units.describe('Units no order has reserved'),
    frozen: units.describe('Units reserved by orders that are not paid'),
    sold: units.describe('Units of paid orders'),
  })
  .describe('sellable + frozen + sold = stocked');

export function stockRoutes(pool: Pool): readonly Route[] {
  return [
    route({
      method: 'put',
      path: '/stock/:skuId',
      summary: 'Say how many units of a SKU there are',
      params: skuParams,
      body: stockedBody,
      responses: {
        200: { description: 'The stock as it is now', schema: stockSchema },
        409: { description: 'More units than that are frozen or sold', schema: problemSchema },
      },
      async handle({ params: { skuId }, body: { stocked } }) {
        const result = await putStock(pool, skuId, stocked);
        if (result.kind === 'put') return { status: 200, body: result.stock };
        const { frozen, sold } = result.stock;
        return problem(409, {
          detail: `stocked must be at least ${frozen + sold} for ${skuId}: ${frozen} are frozen and ${sold} are sold`,
          code: 'below-committed',
          extra: { ...result.stock },
        });
      },
    }),
    route({
      method: 'get',
      path: '/stock/:skuId',
      summary: "One SKU's stock",
      params: skuParams,
      responses: {
        200: { description: 'The stock as it is now', schema: stockSchema },
        404: { description: 'This SKU was never stocked', schema: problemSchema },
      },
      async handle({ params: { skuId } }) {
        const stock = await getStock(pool, skuId);
        if (stock !== undefined) return { status: 200, body: stock };
        return problem(404, {
          detail: `SKU ${skuId} was never stocked; PUT /stock/${skuId} first`,
          code: 'unknown-sku',
        });
      },
    }),
  ];
}
