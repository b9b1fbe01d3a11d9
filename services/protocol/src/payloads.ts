/**
 * What a transaction carries: one schema per flow, read by the order service that writes it and every participant that gets it.
 *
 * 1. Ids only: no names, phone numbers or addresses, because payloads lie in etcd, in archives and in `kubectl get -o yaml`.
 * 2. Unknown fields are refused. A participant that ignored one would agree to something it does not understand; so a new field
 *    is rolled out to every participant before anyone sends it.
 * 3. The limits multiply to less than 2^53, so that no sum of a legal order is ever rounded.
 */
import { z } from 'zod';

/** A DNS label's own limit. */
export const ID_CHARS_MAX = 63;
/** Leaves room in a DNS label for the longest transaction name made of an id: `close-<orderId>-<n>`, n up to 6 digits. */
export const ORDER_ID_CHARS_MAX = 50;
export const LINES_MAX = 100;
export const QUANTITY_MAX = 100_000;
/** A million in the currency's unit. */
export const UNIT_PRICE_CENTS_MAX = 100_000_000;
export const TOTAL_CENTS_MAX = LINES_MAX * QUANTITY_MAX * UNIT_PRICE_CENTS_MAX;

/** A lower-case DNS label: what can stand in an object's name, a URL and a log line as it is. */
export const idSchema = z
  .string()
  .min(1)
  .max(ID_CHARS_MAX)
  .regex(
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/,
    'must be lower-case letters, digits and hyphens, with a letter or digit at both ends',
  )
  .describe('A lower-case DNS label');
export const orderIdSchema = idSchema.max(ORDER_ID_CHARS_MAX);
/** Made into a transaction's name as well: `pay-<paymentId>`. */
export const paymentIdSchema = idSchema.max(ORDER_ID_CHARS_MAX);

export const orderLineSchema = z
  .strictObject({
    skuId: idSchema,
    quantity: z.int().min(1).max(QUANTITY_MAX),
    unitPriceCents: z.int().min(0).max(UNIT_PRICE_CENTS_MAX),
  })
  .describe('One SKU of an order');
export type OrderLine = z.infer<typeof orderLineSchema>;

/** Shared with the public route that takes an order: what is accepted there must be accepted by every participant. */
export const orderLinesSchema = z
  .array(orderLineSchema)
  .min(1)
  .max(LINES_MAX)
  .superRefine((lines, context) => {
    const seen = new Set<string>();
    for (const [index, { skuId }] of lines.entries()) {
      if (seen.has(skuId)) {
        context.addIssue({
          code: 'custom',
          path: [index, 'skuId'],
          message: `names ${skuId} a second time; one line per SKU`,
        });
      }
      seen.add(skuId);
    }
  })
  .describe('1 to 100 lines, one per SKU');

export function totalCentsOf(lines: readonly OrderLine[]): number {
  return lines.reduce((sum, line) => sum + line.quantity * line.unitPriceCents, 0);
}

export const createOrderPayloadSchema = z
  .strictObject({
    orderId: orderIdSchema,
    userId: idSchema,
    lines: orderLinesSchema,
    totalCents: z.int().min(0).max(TOTAL_CENTS_MAX).describe('The sum of quantity * unitPriceCents over all lines'),
  })
  .superRefine(({ lines, totalCents }, context) => {
    const sum = totalCentsOf(lines);
    if (sum !== totalCents) {
      context.addIssue({ code: 'custom', path: ['totalCents'], message: `must be the sum of the lines, ${sum}` });
    }
  })
  .describe('Payload of flow create-order');
export type CreateOrderPayload = z.infer<typeof createOrderPayloadSchema>;

export const payOrderPayloadSchema = z
  .strictObject({
    orderId: orderIdSchema,
    userId: idSchema,
    lines: orderLinesSchema,
    totalCents: z.int().min(0).max(TOTAL_CENTS_MAX).describe('What the order costs'),
    paymentId: paymentIdSchema,
    amountCents: z
      .int()
      .min(0)
      .max(TOTAL_CENTS_MAX)
      .describe("What was captured; the order's try refuses any amount but the total"),
  })
  .describe('Payload of flow pay-order');
export type PayOrderPayload = z.infer<typeof payOrderPayloadSchema>;

export const CLOSE_CAUSES = ['unpaid', 'withdrawn'] as const;
export type CloseCause = (typeof CLOSE_CAUSES)[number];

export const closeOrderPayloadSchema = z
  .strictObject({
    orderId: orderIdSchema,
    lines: orderLinesSchema,
    cause: z
      .enum(CLOSE_CAUSES)
      .describe('unpaid: its time to pay is over; withdrawn: the customer does not want it any more'),
  })
  .describe('Payload of flow close-order');
export type CloseOrderPayload = z.infer<typeof closeOrderPayloadSchema>;

/** Every flow's payload, by the flow's name. */
export const payloadSchemas = {
  'create-order': createOrderPayloadSchema,
  'pay-order': payOrderPayloadSchema,
  'close-order': closeOrderPayloadSchema,
} as const;
