/**
 * `sms.paid`: the customer is told that the payment has arrived. Best effort (T8): nothing waits for it.
 *
 * One publication is at most one provider call, whatever happens; notifications.ts says how. The answer is `delivered` once it is
 * sent, now or before, and else `failed`, with which the next publication is another attempt. Only a database that is away ends in
 * neither: then nothing can be said, and nothing was called, or nobody can record what came of it.
 */
import type { Pool } from 'pg';
import type { BestEffortHandler, Delivered, FailedAttempt, Log } from '../../../kit/src/index.ts';
import { foreignMessage, payOrderPayloadSchema, type PayOrderPayload } from '../../../protocol/src/index.ts';
import { callAlone } from '../call-lock.ts';
import { beginAttempt, endAttempt, objectionTo, type Notification, type Objection } from '../notifications.ts';
import type { Outgoing, Provider, Sending } from '../providers/provider.ts';

export interface SmsPaidOptions {
  /** The namespace whose messages count. */
  readonly shop: string;
  readonly pool: Pool;
  readonly provider: Provider;
  readonly log: Log;
  /** The provider's. */
  readonly timeoutSeconds: number;
}

/** What an attempt takes besides the provider's answer: a database that is slow to record it. */
const RECORDING_SECONDS = 5;

export function smsPaid(options: SmsPaidOptions): BestEffortHandler<PayOrderPayload> {
  const { shop, pool, timeoutSeconds } = options;
  return {
    kind: 'best-effort',
    type: 'sms.paid',
    data: payOrderPayloadSchema,
    foreign: ({ origin, data }) => foreignMessage('sms.paid', origin, data, shop),
    async attempt({ id, data, publication }) {
      const objection = await objectionTo(pool, id, publication);
      if (objection !== undefined) return answerTo(objection);
      const lock = { pool, id, secondsMax: timeoutSeconds + RECORDING_SECONDS };
      const outcome = await callAlone(lock, () => attempt(options, notificationOf(id, data), publication));
      return outcome ?? { kind: 'failed', reason: 'an earlier attempt is still under way' };
    },
  };
}

async function attempt(
  { pool, provider, log }: SmsPaidOptions,
  notification: Notification,
  publication: string,
): Promise<Delivered | FailedAttempt> {
  const beginning = await beginAttempt(pool, notification, publication);
  if (beginning.kind !== 'begun') return answerTo(beginning);
  const sending = await send(provider, beginning.outgoing, log);
  await endAttempt(pool, notification.id, publication, sending);
  if (sending.kind === 'sent') return { kind: 'delivered' };
  log.warn({ reason: sending.reason }, 'a notification could not be sent');
  return sending;
}

function answerTo(objection: Objection): Delivered | FailedAttempt {
  return objection.kind === 'sent-before' ? { kind: 'delivered' } : { kind: 'failed', reason: objection.reason };
}

/** A provider that breaks its promise must not leave the attempt without an outcome. */
async function send(provider: Provider, outgoing: Outgoing, log: Log): Promise<Sending> {
  try {
    return await provider.send(outgoing);
  } catch (error) {
    log.error({ err: error }, 'a provider threw instead of answering');
    return { kind: 'failed', reason: 'the provider could not be asked: a fault of this service' };
  }
}

function notificationOf(id: string, { orderId, userId, amountCents }: PayOrderPayload): Notification {
  const text = `Your payment of ${decimal(amountCents)} for order ${orderId} has arrived.`;
  return { id, orderId, channel: 'sms', to: userId, text };
}

/** 900 is 9.00; in whole numbers, so that no amount is rounded. */
function decimal(cents: number): string {
  return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
}
