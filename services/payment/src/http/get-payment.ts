/**
 * GET /payments/:paymentId.
 */
import type { Pool } from 'pg';
import { route, type Route } from '../../../kit/src/index.ts';
import { getPayment } from '../payments.ts';
import {
  BAD_REQUEST,
  DATABASE_AWAY,
  paymentAnswer,
  paymentParams,
  paymentSchema,
  unknownPayment,
  UNKNOWN_PAYMENT,
} from './payment-answer.ts';

export interface GetPaymentOptions {
  readonly pool: Pool;
  readonly publicUrl: string;
}

export function getPaymentRoute({ pool, publicUrl }: GetPaymentOptions): Route {
  return route({
    method: 'get',
    path: '/payments/:paymentId',
    summary: 'One payment',
    params: paymentParams,
    responses: {
      200: { description: 'The payment as it is now', schema: paymentSchema },
      400: BAD_REQUEST,
      404: UNKNOWN_PAYMENT,
      503: DATABASE_AWAY,
    },
    async handle({ params: { paymentId } }) {
      const payment = await getPayment(pool, paymentId);
      return payment === undefined
        ? unknownPayment(paymentId)
        : { status: 200, body: paymentAnswer(publicUrl, payment) };
    },
  });
}
