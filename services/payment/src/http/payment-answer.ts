/**
 * How a payment is shown, and the problems that every route here may answer with.
 */
import { z } from 'zod';
import { problem, type Reply } from '../../../kit/src/index.ts';
import { orderIdSchema, paymentIdSchema, problemSchema, TOTAL_CENTS_MAX } from '../../../protocol/src/index.ts';
import { PAYMENT_STATUSES, type Payment } from '../payments.ts';

export const amountSchema = z.int().min(0).max(TOTAL_CENTS_MAX);

export const paymentSchema = z.strictObject({
  paymentId: paymentIdSchema,
  orderId: orderIdSchema,
  amountCents: amountSchema.describe('The amount asked for: what the order costs'),
  status: z
    .enum(PAYMENT_STATUSES)
    .describe('PENDING until the provider has called; REFUNDING until it has taken the refund; REFUNDED is final'),
  payUrl: z.url().describe("Where the payment provider's success call goes"),
});

export const paymentParams = z.strictObject({ paymentId: paymentIdSchema });

/** @param publicUrl without a slash at its end */
export function paymentAnswer(publicUrl: string, payment: Payment): z.infer<typeof paymentSchema> {
  const { paymentId, orderId, amountCents, status } = payment;
  return { paymentId, orderId, amountCents, status, payUrl: `${publicUrl}/payments/${paymentId}/pay` };
}

export function unknownPayment(paymentId: string): Reply {
  return problem(404, { detail: `there is no payment ${paymentId}`, code: 'unknown-payment' });
}

export const UNKNOWN_PAYMENT = { description: 'Nobody asked for this payment', schema: problemSchema };
export const DATABASE_AWAY = { description: 'The database does not answer; ask again', schema: problemSchema };
export const BAD_REQUEST = {
  description: 'Something is wrong with the request; detail names it',
  schema: problemSchema,
};
/** Of a route that takes a body. */
export const BAD_BODY = {
  400: BAD_REQUEST,
  413: { description: 'The body is too large', schema: problemSchema },
  415: { description: 'The body is not called JSON by its content-type', schema: problemSchema },
};
