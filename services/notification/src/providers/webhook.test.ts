/** The webhook provider against a real server on loopback. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { answerWith, startWebhook, type LoopbackWebhook } from '../../../kit/testing/loopback-webhook.ts';
import type { Provider } from './provider.ts';
import { webhookProvider } from './webhook.ts';

const OUTGOING = { id: 'shop/pay-p1/payment-sms', channel: 'sms', to: 'u1', text: 'Grüße: 9.00' } as const;

let webhook: LoopbackWebhook;
let provider: Provider;
beforeEach(async () => {
  webhook = await startWebhook();
  provider = webhookProvider({ url: webhook.url, timeoutSeconds: 20 });
});
afterEach(async () => {
  await provider.close();
  await webhook.stop();
});

test('a notification is posted as JSON, with its id as the key by which a repeat is known', async () => {
  expect(await provider.send(OUTGOING)).toEqual({ kind: 'sent' });
  expect(webhook.calls).toMatchObject([
    {
      method: 'POST',
      path: '/sms?token=t0p',
      headers: { 'content-type': 'application/json', 'idempotency-key': OUTGOING.id },
    },
  ]);
  expect(JSON.parse(webhook.calls[0]?.body ?? '')).toEqual(OUTGOING);
});

test.each<[string, (response: ServerResponse) => unknown]>([
  ['200', answerWith(200)],
  ['202', answerWith(202)],
  ['204', answerWith(204)],
  ['200 and a body of megabytes', (response) => response.writeHead(200).end('x'.repeat(5 << 20))],
  ['200 and a body that never ends', (response) => response.writeHead(200).write('x')],
  ['200 and a body that is cut off', (response) => response.writeHead(200, { 'content-length': 9 }).end('x')],
])('%s means sent', async (_, answer) => {
  webhook.answers(answer);
  expect(await provider.send(OUTGOING)).toEqual({ kind: 'sent' });
  expect(webhook.calls).toHaveLength(1);
});

test.each<[string, (response: ServerResponse) => unknown, string]>([
  ['500', answerWith(500), 'the provider answered 500'],
  ['404', answerWith(404), 'the provider answered 404'],
  ['429', answerWith(429), 'the provider answered 429'],
  [
    'a redirect, which is not followed',
    (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
    'the provider answered 302, a redirect, which is not followed',
  ],
  [
    'a redirect that keeps the method',
    (response) => response.writeHead(307, { location: webhook.url }).end(),
    'the provider answered 307, a redirect, which is not followed',
  ],
  ['a closed connection', (response) => response.destroy(), 'the provider could not be asked: UND_ERR_SOCKET'],
])('%s means failed, with the same reason each time, and is one call', async (_, answer, reason) => {
  webhook.answers(answer);
  expect(await provider.send(OUTGOING)).toEqual({ kind: 'failed', reason });
  expect(webhook.calls).toHaveLength(1);
  expect(await provider.send(OUTGOING)).toEqual({ kind: 'failed', reason });
  expect(webhook.calls).toHaveLength(2);
});

test('no answer in time means failed, and is one call', async () => {
  const impatient = webhookProvider({ url: webhook.url, timeoutSeconds: 1 });
  webhook.answers(() => undefined);
  const reason = 'the provider did not answer within 1 s';
  expect(await impatient.send(OUTGOING)).toEqual({ kind: 'failed', reason });
  expect(webhook.calls).toHaveLength(1);
  await impatient.close();
});

test('a connection that is refused means failed, and its reason tells nothing of the url', async () => {
  await webhook.stop();
  const reason = 'the provider could not be asked: ECONNREFUSED';
  expect(await provider.send(OUTGOING)).toEqual({ kind: 'failed', reason });
});
