/**
 * POST /payments/:paymentId/pay: the payment provider says that it has the money.
 *
 * The first call captures, and tells the order service in the same database transaction (by the outbox); a repeat is answered with
 * the payment as it is. A further capture, under an id of its own, is kept and given back, in one database transaction too. Whether
 * the order may still be paid is not judged here: a payment that comes too late is captured as well, and refunded by the transaction
 * that it starts.
 */
import type { Pool } from 'pg';
import { z } from 'zod';
import {
  inTransaction,
  problem,
  route,
  tell,
  traceparentOf,
  type OutgoingMessage,
  type Reply,
  type Route,
  type UncheckedRequest,
  type ServiceBase,
} from '../../../kit/src/index.ts';
import { paymentSucceededId, problemSchema, type PaymentSucceeded } from '../../../protocol/src/index.ts';
import {
  addSurplus,
  capturePayment,
  getCapture,
  judgeCapture,
  lockPayment,
  type CaptureCall,
  type Payment,
} from '../payments.ts';
import type { RefundRelay } from '../refunds/relay.ts';
import {
  amountSchema,
  BAD_BODY,
  DATABASE_AWAY,
  paymentAnswer,
  paymentParams,
  paymentSchema,
  unknownPayment,
  UNKNOWN_PAYMENT,
} from './payment-answer.ts';
import { AGE_SECONDS_MAX, judgeProviderCall, SIGNATURE_HEADER } from './signature.ts';

/** Of the refund, for people. */
const SURPLUS_REASON = 'the payment was captured more than once';

export interface PayPaymentOptions {
  readonly pool: Pool;
  readonly outbox: ServiceBase['outbox'];
  readonly refunds: Pick<RefundRelay, 'nudge'>;
  readonly publicUrl: string;
  /** Where there are some, only calls that are signed with one of them count. */
  readonly providerSecrets: readonly string[] | undefined;
}

/** Of an id that nothing has checked yet. */
const LOGGED_CHARS_MAX = 64;

const payBody = z.strictObject({
  amountCents: amountSchema.optional().describe('What was captured; without it, the amount asked for'),
  captureId: z
    .string()
    .regex(/^[A-Za-z0-9][-A-Za-z0-9_.:]{0,127}$/, 'must be 1 to 128 letters, digits, and -_.: in between')
    .optional()
    .describe(
      "The provider's id of the capture. The same again is the same capture, another one is more money, which is given back; without it, the payment's own capture. A provider names all of its captures or none",
    ),
});

export function payPaymentRoute({ pool, outbox, refunds, publicUrl, providerSecrets }: PayPaymentOptions): Route {
  return route({
    method: 'post',
    path: '/payments/:paymentId/pay',
    summary: "The payment provider's success call",
    params: paymentParams,
    body: payBody,
    bodyOptional: true,
    headers: {
      [SIGNATURE_HEADER]: {
        description:
          't=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<paymentId>.<raw body>">; required where PAYMENT_PROVIDER_SECRET is set, ' +
          `and at most ${AGE_SECONDS_MAX} s old`,
      },
    },
    responses: {
      200: {
        description: 'Captured, by this call or an earlier one, or kept to be given back; the payment as it is now',
        schema: paymentSchema,
      },
      ...BAD_BODY,
      401: { description: 'The call is not signed by the payment provider; detail says why', schema: problemSchema },
      404: UNKNOWN_PAYMENT,
      409: { description: 'Another amount was captured before by this capture', schema: problemSchema },
      503: DATABASE_AWAY,
    },
    authorize: (call) => (providerSecrets === undefined ? undefined : refusalOf(call, providerSecrets)),
    async handle(call) {
      const { paymentId } = call.params;
      const { amountCents: cents, captureId } = call.body;
      const paid = await pay(pool, paymentId, { cents, captureId }, traceparentOf(call.header('traceparent')));
      switch (paid.kind) {
        case 'unknown':
          return unknownPayment(paymentId);
        case 'refused':
          return problem(409, { detail: paid.detail, code: 'other-amount' });
        case 'captured':
          outbox.nudge();
          return { status: 200, body: paymentAnswer(publicUrl, paid.payment) };
        case 'surplus':
          call.log.warn({ paymentId, captureId }, 'a payment was captured once more; this capture is given back');
          refunds.nudge();
          return { status: 200, body: paymentAnswer(publicUrl, paid.payment) };
        case 'repeated':
          return { status: 200, body: paymentAnswer(publicUrl, paid.payment) };
      }
    },
  });
}

function refusalOf({ params, rawBody, header, log }: UncheckedRequest, secrets: readonly string[]): Reply | undefined {
  const { paymentId = '' } = params;
  const verdict = judgeProviderCall({
    ...{ header: header(SIGNATURE_HEADER), secrets, paymentId, rawBody, nowMs: Date.now() },
  });
  if (verdict.kind === 'good') return undefined;
  const { detail } = verdict;
  log.warn({ paymentId: paymentId.slice(0, LOGGED_CHARS_MAX) }, `refused a success call: ${detail}`);
  return problem(401, { detail, code: 'unsigned', headers: { 'www-authenticate': SIGNATURE_HEADER } });
}

type Paid =
  | { readonly kind: 'captured' | 'surplus' | 'repeated'; readonly payment: Payment }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'unknown' };

async function pay(pool: Pool, paymentId: string, call: CaptureCall, traceparent: string | undefined): Promise<Paid> {
  return inTransaction(pool, async (client) => {
    const payment = await lockPayment(client, paymentId);
    if (payment === undefined) return { kind: 'unknown' };
    const { captureId } = call;
    const earlier = captureId === undefined ? undefined : await getCapture(client, paymentId, captureId);
    const verdict = judgeCapture(payment, call, earlier);
    switch (verdict.kind) {
      case 'refused':
        return verdict;
      case 'done':
        return { kind: 'repeated', payment };
      case 'capture':
        await tell(client, succeeded(payment, verdict.cents, traceparent));
        return {
          kind: 'captured',
          payment: await capturePayment(client, payment, { captureId: captureId ?? '', cents: verdict.cents }),
        };
      case 'surplus':
        await addSurplus(client, paymentId, verdict, SURPLUS_REASON);
        return { kind: 'surplus', payment };
    }
  });
}

function succeeded({ paymentId, orderId }: Payment, amountCents: number, traceparent?: string): OutgoingMessage {
  const data: PaymentSucceeded = { paymentId, orderId, amountCents };
  const id = paymentSucceededId(paymentId);
  return { id, stream: 'order', type: 'payment.succeeded', subject: orderId, data, traceparent };
}
