/**
 * A webhook of somebody else's: JSON is posted to it, and any 2xx means that it is taken.
 *
 * 1. One call of `post` is one request: nothing is repeated here, and no redirect is followed.
 * 2. The answer's status says everything; its body is thrown away.
 * 3. What is said of a failure is the same each time and tells nothing of the URL, which may be a secret.
 */
import { Agent, request } from 'undici';

export interface WebhookOptions {
  readonly url: string;
  readonly timeoutSeconds: number;
}

export interface WebhookCall {
  /** Besides the content type. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
}

export type Posted =
  | { readonly kind: 'taken' }
  /** Also where nobody knows: a time-out. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Webhook {
  /** Resolves, never rejects, and within the time-out. */
  post(call: WebhookCall): Promise<Posted>;
  close(): Promise<void>;
}

/** An answer that is longer costs its connection, nothing else. */
const BODY_BYTES_MAX = 64 * 1024;
const TIMED_OUT = ['TimeoutError', 'ConnectTimeoutError', 'HeadersTimeoutError'];

export function webhook({ url, timeoutSeconds }: WebhookOptions): Webhook {
  const dispatcher = new Agent({ connect: { timeout: timeoutSeconds * 1_000 } });
  return {
    async post({ headers, body }) {
      const signal = AbortSignal.timeout(timeoutSeconds * 1_000);
      try {
        const answer = await request(url, {
          ...{ dispatcher, method: 'POST', signal, body },
          headers: { ...headers, 'content-type': 'application/json' },
        });
        void answer.body.dump({ limit: BODY_BYTES_MAX, signal }).catch(() => undefined);
        return postedOf(answer.statusCode);
      } catch (error) {
        return { kind: 'failed', reason: reasonOf(error, timeoutSeconds) };
      }
    },
    close: () => dispatcher.destroy(),
  };
}

function postedOf(status: number): Posted {
  if (status >= 200 && status <= 299) return { kind: 'taken' };
  const redirect = status >= 300 && status <= 399 ? ', a redirect, which is not followed' : '';
  return { kind: 'failed', reason: `the provider answered ${status}${redirect}` };
}

/** Without the addresses and ports that an error's own message holds. */
function reasonOf(error: unknown, timeoutSeconds: number): string {
  const { name, code = name } = error as NodeJS.ErrnoException;
  if (TIMED_OUT.includes(name)) return `the provider did not answer within ${timeoutSeconds} s`;
  return `the provider could not be asked: ${code}`;
}
