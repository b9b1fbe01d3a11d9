/** The controller's port to whom it does not know. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { freePort } from '../../../local/ports.ts';
import { startTelemetryServer, type TelemetryServer } from './server.ts';

let server: TelemetryServer;
let url: string;
const looked: string[] = [];

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  server = await startTelemetryServer({
    ...{ port, host: '127.0.0.1', registry: new Registry(), live: () => [], ready: () => [] },
    jwks: () => Promise.resolve({ keys: [] }),
    about: { version: '1', replica: 'one' },
    look(namespace, name) {
      looked.push(`${namespace}/${name}`);
      if (name === 'broken') throw new Error('secret inside');
      return { kind: 'absent' };
    },
  });
});
afterAll(() => server.close());

test('what is known of one transaction is JSON that nobody keeps', async () => {
  const answer = await fetch(`${url}/transactions/shop/create-o1`);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(await answer.json()).toEqual({ version: '1', replica: 'one', kind: 'absent' });
  expect(looked.at(-1)).toBe('shop/create-o1');
});

test.each([
  ['a path that cannot be read', '/transactions/%ff/x', 400],
  ['a fault of its own', '/transactions/shop/broken', 500],
])('%s shows nothing of the inside and leaves no line in the log', async (_what, path, status) => {
  const printed = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  const answer = await fetch(url + path);
  const text = await answer.text();
  expect({ status: answer.status, printed: printed.mock.calls }).toEqual({ status, printed: [] });
  expect(text).not.toMatch(/\bat |node_modules|secret/);
  printed.mockRestore();
});
