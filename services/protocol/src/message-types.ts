/**
 * Every message of the shop: which service hears it, and what it carries.
 *
 * Those that follow a transaction's decision carry the transaction's payload; crds/flows/ says which follow which. Those that a
 * service starts itself carry what is given here. A stream has the name of the one service that reads it.
 */
import { z } from 'zod';
import {
  closeOrderPayloadSchema,
  createOrderPayloadSchema,
  orderIdSchema,
  payOrderPayloadSchema,
  paymentIdSchema,
  TOTAL_CENTS_MAX,
} from './payloads.ts';

export const paymentSucceededSchema = z
  .strictObject({
    paymentId: paymentIdSchema,
    orderId: orderIdSchema,
    amountCents: z.int().min(0).max(TOTAL_CENTS_MAX).describe('What was captured'),
  })
  .describe('Data of payment.succeeded');
export type PaymentSucceeded = z.infer<typeof paymentSucceededSchema>;

/** The message's id: the same however often the payment service tells of it. */
export function paymentSucceededId(paymentId: string): string {
  return `payment/payment.succeeded/${paymentId}`;
}

export const wmsShippedSchema = z.strictObject({ orderId: orderIdSchema }).describe('Data of wms.shipped');
export type WmsShipped = z.infer<typeof wmsShippedSchema>;

/** The data's schema, by stream and type. */
export const messageTypes = {
  dispatch: {
    'dispatch.lock': createOrderPayloadSchema,
    'dispatch.schedule': payOrderPayloadSchema,
    'dispatch.unlock': closeOrderPayloadSchema,
  },
  wms: {
    'stock.lock': createOrderPayloadSchema,
    'stock.outbound': payOrderPayloadSchema,
    'stock.release': closeOrderPayloadSchema,
  },
  member: { 'points.grant': payOrderPayloadSchema },
  payment: { 'payment.refund': payOrderPayloadSchema },
  notification: { 'sms.paid': payOrderPayloadSchema },
  order: { 'payment.succeeded': paymentSucceededSchema, 'wms.shipped': wmsShippedSchema },
} as const;
