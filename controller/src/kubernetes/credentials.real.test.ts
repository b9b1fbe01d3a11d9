/** Credentials that change while the process runs, and the connections that belong to them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { world } from '../../../tests/world/world.ts';
import { loadKubeConfig, namespaceOf, readCredentials, serverOf } from './credentials.ts';
import { HttpTransport } from './transport.ts';

let folder: string;
let listener: Server | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ordertx-credentials-'));
});

afterEach(() => {
  listener?.close();
});

afterAll(() => rm(folder, { recursive: true }));

async function kubeconfig(cluster: object, user: object): Promise<string> {
  const path = join(folder, 'kubeconfig');
  const config = {
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
    'current-context': 'x',
  };
  await writeFile(path, JSON.stringify(config));
  return path;
}

describe('a kubeconfig', () => {
  test('names the server, the namespace and who we are', async () => {
    const config = loadKubeConfig(await kubeconfig({ server: 'https://example.test:6443/' }, { token: 'secret' }));
    expect([serverOf(config), namespaceOf(config)]).toEqual(['https://example.test:6443', 'shop']);
    expect((await readCredentials(config)).headers).toEqual({ authorization: 'Bearer secret' });
  });

  test('is needed outside a pod', () => {
    expect(() => loadKubeConfig(undefined)).toThrow('set KUBECONFIG');
  });

  test('without a server says what to set', () => {
    expect(() => serverOf(new KubeConfig())).toThrow('current-context');
  });

  test('may speak plain http to this machine, and to no other', async () => {
    for (const server of ['http://127.0.0.1:8001', 'http://localhost:8001', 'http://[::1]:8001']) {
      await readCredentials(loadKubeConfig(await kubeconfig({ server }, { token: 't' })));
    }
    for (const server of ['http://example.test', 'http://127.0.0.1.example.test', 'http://localhost.example.test']) {
      const config = loadKubeConfig(await kubeconfig({ server }, { token: 't' }));
      await expect(readCredentials(config)).rejects.toThrow('HTTP protocol is not allowed');
    }
  });
});

test('connections are the same as long as the certificates are, and others when a file was rotated', async () => {
  const caFile = join(folder, 'ca.crt');
  const server = world().apiServerUrl;
  await writeFile(caFile, 'one');
  const config = loadKubeConfig(await kubeconfig({ server, 'certificate-authority': caFile }, { token: 't' }));
  const [first, again] = [await readCredentials(config), await readCredentials(config)];
  expect(again.connectionId).toBe(first.connectionId);
  await writeFile(caFile, world().certificate);
  expect((await readCredentials(config)).connectionId).not.toBe(first.connectionId);
});

test('the administrator’s kubeconfig is good for a request', async () => {
  const transport = new HttpTransport({ kubeConfig: loadKubeConfig(world().kubeconfig), userAgent: 'ordertx-tests' });
  expect(await transport.request({ method: 'GET', path: '/version' })).toMatchObject({ kind: 'ok' });
  await transport.close();
});

test('a base path in front of the API server is kept, and credentials are read again after a 401', async () => {
  const seen: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const answering = (listener = createServer((request, response) => {
    seen.push({ url: request.url, headers: request.headers });
    response.statusCode = request.headers.authorization === 'Bearer new' ? 200 : 401;
    response.end('{}');
  }));
  await new Promise<void>((resolve) => answering.listen(0, '127.0.0.1', resolve));
  const server = `http://127.0.0.1:${(answering.address() as AddressInfo).port}/clusters/c1/`;
  const config = loadKubeConfig(await kubeconfig({ server }, { token: 'old' }));
  const transport = new HttpTransport({ kubeConfig: config, userAgent: 'ordertx-tests' });
  expect(await transport.request({ method: 'GET', path: '/version' })).toMatchObject({ error: { status: 401 } });
  config.users = config.users.map((user) => ({ ...user, token: 'new' }));
  expect(await transport.request({ method: 'GET', path: '/version' })).toMatchObject({ kind: 'ok' });
  expect(seen.map(({ url }) => url)).toEqual(['/clusters/c1/version', '/clusters/c1/version']);
  expect(seen[0]!.headers['user-agent']).toBe('ordertx-tests');
  await transport.close();
});
