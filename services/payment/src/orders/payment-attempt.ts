/**
 * Asks the order service what became of a payment: GET <ORDER_URL>/orders/:orderId/payments/:paymentId.
 *
 * Only what it says in so many words is believed: any other status, a body that is of another payment, or no answer in time means
 * that nothing is known, and no money goes back.
 */
import { z } from 'zod';
import { asker } from '../../../kit/src/index.ts';
import { FENCE_STATES, orderIdSchema, paymentIdSchema } from '../../../protocol/src/index.ts';

/** A person waits; the order service reads one row. */
const TIMEOUT_MS = 5_000;
const ANSWER_BYTES_MAX = 64 * 1024;

const attemptSchema = z.object({
  orderId: orderIdSchema,
  paymentId: paymentIdSchema,
  transaction: z.string(),
  applied: z.boolean(),
  state: z.enum(FENCE_STATES),
});

export type Attempt =
  | {
      readonly kind: 'found';
      /** `<namespace>/<name>`. */
      readonly transaction: string;
      /** Whether the order is paid by this payment. */
      readonly applied: boolean;
      /** Of the order's branch; Cancelled is for good. */
      readonly state: (typeof FENCE_STATES)[number];
    }
  | { readonly kind: 'unavailable'; readonly why: string };

/** Resolves, never rejects. @param baseUrl without a slash at its end */
export async function findAttempt(baseUrl: string, orderId: string, paymentId: string): Promise<Attempt> {
  const whom = 'the order service';
  const orders = asker({ baseUrl, whom, timeoutMs: TIMEOUT_MS, bytesMax: ANSWER_BYTES_MAX });
  const answer = await orders.get(`/orders/${orderId}/payments/${paymentId}`);
  await orders.close();
  if (answer.kind === 'unavailable') return answer;
  if (answer.status !== 200) return { kind: 'unavailable', why: `${whom} answered ${answer.status}` };
  const attempt = attemptSchema.safeParse(answer.body);
  if (!attempt.success || attempt.data.orderId !== orderId || attempt.data.paymentId !== paymentId)
    return { kind: 'unavailable', why: `${whom} answered 200 with something else than this payment` };
  const { transaction, applied, state } = attempt.data;
  return { kind: 'found', transaction, applied, state };
}
