/**
 * The provider behind a webhook: a notification is posted to it as JSON, and any 2xx means that it is sent.
 *
 * 1. One call of `send` is one request: nothing is repeated here, and no redirect is followed.
 * 2. The answer's status says everything; its body is thrown away.
 * 3. `Idempotency-Key` is the message's id: a provider that knows it can drop what it has sent before, where we cannot know.
 */
import { Agent, request, type Dispatcher } from 'undici';
import type { Outgoing, Provider, Sending } from './provider.ts';

export interface WebhookOptions {
  readonly url: string;
  readonly timeoutSeconds: number;
}

/** An answer that is longer costs its connection, nothing else. */
const BODY_BYTES_MAX = 64 * 1024;
const TIMED_OUT = ['TimeoutError', 'ConnectTimeoutError', 'HeadersTimeoutError'];

export function webhookProvider({ url, timeoutSeconds }: WebhookOptions): Provider {
  const dispatcher = new Agent({ connect: { timeout: timeoutSeconds * 1_000 } });
  return {
    async send(outgoing) {
      try {
        return sendingOf(await post(dispatcher, url, outgoing, AbortSignal.timeout(timeoutSeconds * 1_000)));
      } catch (error) {
        return { kind: 'failed', reason: reasonOf(error, timeoutSeconds) };
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** The answer's status. */
async function post(dispatcher: Dispatcher, url: string, outgoing: Outgoing, signal: AbortSignal): Promise<number> {
  const { id, channel, to, text } = outgoing;
  const { statusCode, body } = await request(url, {
    ...{ dispatcher, method: 'POST', signal },
    headers: { 'content-type': 'application/json', 'idempotency-key': id },
    body: JSON.stringify({ id, channel, to, text }),
  });
  void body.dump({ limit: BODY_BYTES_MAX, signal }).catch(() => undefined);
  return statusCode;
}

function sendingOf(status: number): Sending {
  if (status >= 200 && status <= 299) return { kind: 'sent' };
  const redirect = status >= 300 && status <= 399 ? ', a redirect, which is not followed' : '';
  return { kind: 'failed', reason: `the provider answered ${status}${redirect}` };
}

/** Without the addresses and ports that an error's own message holds: the URL may be a secret. */
function reasonOf(error: unknown, timeoutSeconds: number): string {
  const { name, code = name } = error as NodeJS.ErrnoException;
  if (TIMED_OUT.includes(name)) return `the provider did not answer within ${timeoutSeconds} s`;
  return `the provider could not be asked: ${code}`;
}
