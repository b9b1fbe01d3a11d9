/**
 * POST /stock/:skuId/adjustments.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import {
  IDEMPOTENCY_KEY_PATTERN,
  problem,
  readIdempotencyKey,
  route,
  type Reply,
  type Route,
} from '../../../kit/src/index.ts';
import { problemSchema } from '../../../protocol/src/index.ts';
import { adjustStock, type Adjusted, type Adjustment } from '../adjustments.ts';
import { STOCKED_MAX } from '../stock.ts';
import { skuParams, stockSchema, unknownSku, UNKNOWN_SKU } from './stock-answer.ts';

const delta = z.union([z.int().min(1).max(STOCKED_MAX), z.int().min(-STOCKED_MAX).max(-1)], {
  error: `must be a whole number from -${STOCKED_MAX} to ${STOCKED_MAX}, and not 0`,
});

export function adjustStockRoute(pool: Pool): Route {
  return route({
    method: 'post',
    admin: true,
    path: '/stock/:skuId/adjustments',
    summary: 'Add units to a SKU, or take some away',
    params: skuParams,
    body: z.strictObject({
      delta: delta.describe('Units that have come, or with a minus gone; taken from what can be sold'),
    }),
    headers: {
      'Idempotency-Key': {
        description: 'Yours, per SKU; the same when you repeat the request',
        required: true,
        pattern: IDEMPOTENCY_KEY_PATTERN,
      },
    },
    responses: {
      200: { description: 'Applied, now or by this key before; the stock as it is now', schema: stockSchema },
      400: { description: 'No Idempotency-Key, or something is wrong with the body', schema: problemSchema },
      404: UNKNOWN_SKU,
      409: {
        description:
          'It would take units that are frozen or sold, or be more than there may be; the key is not used up',
        schema: problemSchema,
      },
      422: { description: 'This Idempotency-Key came with another delta before', schema: problemSchema },
    },
    async handle(call) {
      const { skuId } = call.params;
      const key = readIdempotencyKey(call.header('idempotency-key'));
      if (key.kind === 'bad') return problem(400, { detail: key.detail, code: 'bad-idempotency-key' });
      const adjustment = { skuId, idempotencyKey: key.key, delta: call.body.delta };
      return answer(adjustment, await adjustStock(pool, adjustment));
    },
  });
}

function answer({ skuId, delta: asked }: Adjustment, adjusted: Adjusted): Reply {
  switch (adjusted.kind) {
    case 'adjusted':
      return { status: 200, body: adjusted.stock };
    case 'unknown':
      return unknownSku(skuId);
    case 'other-delta':
      return problem(422, {
        detail: `Idempotency-Key was sent with a delta of ${adjusted.delta} before: repeat that, or take a new key`,
        code: 'idempotency-key-reused',
      });
    case 'impossible': {
      const { sellable, frozen, sold } = adjusted.stock;
      const tooMany = asked > 0;
      return problem(409, {
        detail: tooMany
          ? `${skuId} may have at most ${STOCKED_MAX} units`
          : `only ${sellable} of ${skuId} can be taken away: ${frozen} are frozen and ${sold} are sold`,
        code: tooMany ? 'too-many' : 'below-committed',
        extra: { ...adjusted.stock },
      });
    }
  }
}
