/**
 * The provider behind a webhook: a notification is posted to it as JSON, and any 2xx means that it is sent.
 *
 * `Idempotency-Key` is the message's id: a provider that knows it can drop what it has sent before, where we cannot know.
 */
import { webhook, type WebhookOptions } from '../../../kit/src/index.ts';
import type { Provider } from './provider.ts';

export function webhookProvider(options: WebhookOptions): Provider {
  const hook = webhook(options);
  return {
    async send({ id, channel, to, text }) {
      const posted = await hook.post({
        headers: { 'idempotency-key': id },
        body: JSON.stringify({ id, channel, to, text }),
      });
      return posted.kind === 'taken' ? { kind: 'sent' } : posted;
    },
    close: () => hook.close(),
  };
}
