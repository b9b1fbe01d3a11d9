/** The notification service as a process: settings that are not usable end it with code 2 and are all named. */
import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { inheritedEnvironment } from '../../../local/process-group.ts';

test('names every bad setting and ends with code 2', async () => {
  const settings = { NOTIFICATION_PROVIDER: 'webhook', NOTIFICATION_TIMEOUT_SECONDS: 'soon', ORDERTX_AUTH: 'off' };
  const env = { ...inheritedEnvironment(), ...settings };
  const ended = await new Promise<{ readonly code: unknown; readonly output: string }>((resolve) => {
    execFile(process.execPath, [join(import.meta.dirname, 'main.ts')], { env }, (error, _stdout, output) =>
      resolve({ code: error?.code, output }),
    );
  });
  expect(ended.code).toBe(2);
  for (const name of ['DATABASE_URL', 'REDIS_URL', 'NOTIFICATION_WEBHOOK_URL', 'NOTIFICATION_TIMEOUT_SECONDS'])
    expect(ended.output).toContain(`  ${name} `);
});
