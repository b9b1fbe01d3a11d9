/**
 * The routes of /stock/:skuId.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import { problem, route, type Route } from '../../../kit/src/index.ts';
import { problemSchema } from '../../../protocol/src/index.ts';
import { getStock, putStock, STOCKED_MAX } from '../stock.ts';
import { adjustStockRoute } from './adjust-stock.ts';
import { skuParams, stockSchema, unknownSku, UNKNOWN_SKU } from './stock-answer.ts';

const stockedBody = z.strictObject({ stocked: z.int().min(0).max(STOCKED_MAX) });

export function stockRoutes(pool: Pool): readonly Route[] {
  return [
    route({
      method: 'put',
      admin: true,
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
        404: UNKNOWN_SKU,
      },
      async handle({ params: { skuId } }) {
        const stock = await getStock(pool, skuId);
        if (stock !== undefined) return { status: 200, body: stock };
        return unknownSku(skuId);
      },
    }),
    adjustStockRoute(pool),
  ];
}
