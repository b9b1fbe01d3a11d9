/** What the notification service says of its settings. */
import { expect, test } from '@jest/globals';
import { readSettings } from '../../kit/src/index.ts';
import { checkNotificationSettings, notificationSettings } from './config.ts';

const NEEDED = {
  DATABASE_URL: 'postgres://notification@127.0.0.1:5432/notification',
  REDIS_URL: 'redis://127.0.0.1:6379',
  ORDERTX_NAMESPACES: 'shop',
  ORDERTX_AUTH: 'off',
};
const WEBHOOK = { NOTIFICATION_PROVIDER: 'webhook', NOTIFICATION_WEBHOOK_URL: 'https://sms.example/send?token=t0p' };

function read(changes: Readonly<Record<string, string>>) {
  return readSettings(notificationSettings, { ...NEEDED, ...changes }, checkNotificationSettings);
}

test('it stores what it would send, unless it is told where to send it', () => {
  const values = { provider: 'store', webhookUrl: undefined, timeoutSeconds: 5 };
  expect(read({})).toMatchObject({ kind: 'read', values });
  expect(read(WEBHOOK)).toMatchObject({
    values: { provider: 'webhook', webhookUrl: WEBHOOK.NOTIFICATION_WEBHOOK_URL },
  });
});

test.each<[string, string, Readonly<Record<string, string>>]>([
  ['a provider that there is not', 'NOTIFICATION_PROVIDER', { NOTIFICATION_PROVIDER: 'pigeon' }],
  ['a webhook without a url', 'NOTIFICATION_WEBHOOK_URL', { NOTIFICATION_PROVIDER: 'webhook' }],
  ['a url that nothing would be sent to', 'NOTIFICATION_WEBHOOK_URL', { ...WEBHOOK, NOTIFICATION_PROVIDER: 'store' }],
  ['a url that is none', 'NOTIFICATION_WEBHOOK_URL', { ...WEBHOOK, NOTIFICATION_WEBHOOK_URL: 'sms' }],
  ['a url of another kind', 'NOTIFICATION_WEBHOOK_URL', { ...WEBHOOK, NOTIFICATION_WEBHOOK_URL: 'ftp://t0p/' }],
  ['a url with a password', 'NOTIFICATION_WEBHOOK_URL', { ...WEBHOOK, NOTIFICATION_WEBHOOK_URL: 'https://a:t0p@b/' }],
  ['no time-out', 'NOTIFICATION_TIMEOUT_SECONDS', { NOTIFICATION_TIMEOUT_SECONDS: '0' }],
  ['a time-out beyond the takeover', 'NOTIFICATION_TIMEOUT_SECONDS', { NOTIFICATION_TIMEOUT_SECONDS: '21' }],
])('%s is named, and the url is not printed', (_, name, changes) => {
  const result = read(changes);
  expect(result).toMatchObject({ kind: 'bad', problems: [{ name }] });
  expect(JSON.stringify(result)).not.toContain('t0p');
});
