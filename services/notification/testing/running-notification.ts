/**
 * The notification service for its tests, and whoever writes to it.
 */
import { MessageSender, type Published } from '../../../tests/services/message-sender.ts';
import { payloadsOf } from '../../../tests/services/running-consumers.ts';
import { startForTest, type StartedService } from '../../../tests/services/started-service.ts';
import { startNotification } from '../src/service.ts';

export interface RunningNotification extends StartedService {
  readonly sender: MessageSender;
  /** GET /notifications?orderId= */
  listed(orderId: string): Promise<unknown>;
}

/** Far longer than a loopback server takes on a loaded machine, short enough for a test that waits for its end. */
export const TIMEOUT_SECONDS = 3;

/** @param webhookUrl without one, the provider is `store` */
export async function runNotification(webhookUrl?: string): Promise<RunningNotification> {
  const provider = webhookUrl === undefined ? 'store' : 'webhook';
  const service = await startForTest('notification', (base) =>
    startNotification({ ...base, provider, webhookUrl, timeoutSeconds: TIMEOUT_SECONDS }),
  );
  return {
    ...service,
    sender: new MessageSender(service.redis, 'notification'),
    listed: async (orderId) => (await fetch(`${service.url}/notifications?orderId=${orderId}`)).json(),
  };
}

/** A publication of the message that order `orderId` was paid. */
export function smsPaidOf(orderId: string, attempt: number): Published {
  const data = { ...payloadsOf(orderId).paid, amountCents: 900 };
  return { id: `shop/pay-p-${orderId}/payment-sms`, type: 'sms.paid', attempt, data };
}
