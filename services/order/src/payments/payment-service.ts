/**
 * Asks the payment service over HTTP: GET <PAYMENT_URL>/order-payments?orderIds=, for all payments of some orders or one of them.
 *
 * Only what it says in so many words is believed: any other status, a redirect, a body that is something else, or no answer in time
 * means that nothing is known.
 */
import { z } from 'zod';
import { asker, type Asker } from '../../../kit/src/index.ts';
import { orderIdSchema, paymentIdSchema, TOTAL_CENTS_MAX } from '../../../protocol/src/index.ts';
import type { PaymentFound, PaymentLookup, PaymentsFound } from './payment-lookup.ts';

/** The closing scanner and a customer who withdraws wait for it; the payment service reads some rows. */
const TIMEOUT_MS = 2_000;
/** A payment has 400 bytes; of 50 orders with 100 payments each it would be 2 MB. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

const paymentSchema = z.object({
  paymentId: paymentIdSchema,
  orderId: orderIdSchema,
  status: z.string().regex(/^[A-Z_]{1,40}$/),
  capturedCents: z.int().min(0).max(TOTAL_CENTS_MAX).nullable(),
});

export interface PaymentService extends PaymentLookup {
  close(): Promise<void>;
}

/** @param baseUrl without a slash at its end */
export function paymentService(baseUrl: string): PaymentService {
  const payments = asker({ baseUrl, whom: 'the payment service', timeoutMs: TIMEOUT_MS, bytesMax: ANSWER_BYTES_MAX });
  return {
    ofOrders: (orderIds) => ofOrders(payments, orderIds),
    find: (orderId, paymentId) => find(payments, orderId, paymentId),
    close: () => payments.close(),
  };
}

async function find(payments: Asker, orderId: string, paymentId: string): Promise<PaymentFound> {
  const asked = await ofOrders(payments, [orderId], `&paymentId=${paymentId}`);
  if (asked.kind === 'unavailable') return asked;
  return { kind: 'found', payment: asked.payments.find((each) => each.paymentId === paymentId) };
}

async function ofOrders(payments: Asker, orderIds: readonly string[], more = ''): Promise<PaymentsFound> {
  const answer = await payments.get(`/order-payments?orderIds=${orderIds.join(',')}${more}`);
  if (answer.kind === 'unavailable') return answer;
  if (answer.status !== 200) return odd(answer.status);
  const found = z.array(paymentSchema).safeParse(answer.body);
  if (!found.success || found.data.some(({ orderId }) => !orderIds.includes(orderId))) return odd(200);
  return { kind: 'found', payments: found.data };
}

function odd(status: number): PaymentsFound {
  const what = status === 200 ? ' with something else than was asked for' : '';
  return { kind: 'unavailable', why: `the payment service answered ${status}${what}` };
}
