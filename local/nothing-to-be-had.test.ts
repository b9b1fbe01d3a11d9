/** On a machine that has nothing and reaches nothing, the error says what each way lacked and what to do. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findControlPlaneBinaries } from './control-plane/binaries.ts';
import { downloadControlPlane } from './control-plane/published.ts';
import type { Household } from './processes.ts';
import { findRedisServer } from './redis-server.ts';

const VARIABLES = [
  'PATH',
  'XDG_CACHE_HOME',
  'HTTPS_PROXY',
  'https_proxy',
  'NO_PROXY',
  'no_proxy',
  'KUBEBUILDER_ASSETS',
];
/** Nothing listens on port 1, so a proxy there is a network that leads nowhere. */
const NOWHERE = 'http://127.0.0.1:1';

let empty: string;
let saved: Readonly<Record<string, string | undefined>>;

beforeEach(async () => {
  saved = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  empty = await mkdtemp(join(tmpdir(), 'nothing-test-'));
  for (const name of VARIABLES) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, { PATH: empty, XDG_CACHE_HOME: join(empty, 'cache'), HTTPS_PROXY: NOWHERE });
});
afterEach(async () => {
  for (const name of VARIABLES) {
    if (saved[name] === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = saved[name];
  }
  await rm(empty, { recursive: true });
});

/** Starts nothing: whoever gets so far as to build has found a compiler. */
const household: Pick<Household, 'removeAtEnd' | 'start'> = {
  removeAtEnd: () => undefined,
  start: () => Promise.reject(new Error('nothing is built here')),
};

async function messageOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'no error',
    (error: unknown) => (error as Error).message,
  );
}

describe('without a control plane', () => {
  test('an empty cache, no network and no Go: every way is named with what it lacked', async () => {
    const message = await messageOf(findControlPlaneBinaries(household));
    expect(message).toContain('KUBEBUILDER_ASSETS is not set');
    expect(message).toContain(join(empty, 'cache', 'ordertx', 'control-plane'));
    expect(message).toMatch(/the published envtest archive: .*ECONNREFUSED 127\.0\.0\.1:1/);
    expect(message).toContain('there is no `go` on the PATH');
    expect(message).toContain('install Go');
    expect(message).toContain('let this machine reach github.com');
  });

  test('a KUBEBUILDER_ASSETS that lacks a program is an error, not a reason to look elsewhere', async () => {
    process.env.KUBEBUILDER_ASSETS = empty;
    await writeFile(join(empty, 'etcd'), '');
    expect(await messageOf(findControlPlaneBinaries(household))).toBe(
      `KUBEBUILDER_ASSETS (${empty}) lacks kube-apiserver, kubectl`,
    );
  });
});

describe('a download', () => {
  let server: Server;

  const published = (url: string) => ({ url: () => url, sha512: { 'linux-amd64': '00'.repeat(64) } }) as const;
  const serve = async (body: string | undefined, status = 200) => {
    server = createServer((_, answer) => {
      answer.writeHead(status);
      if (body === undefined) answer.flushHeaders();
      else answer.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/archive.tar.gz`;
  };
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  test('with another digest than the pinned one is refused and leaves nothing', async () => {
    const attempt = downloadControlPlane(published(await serve('something else')), 'linux-amd64', empty);
    expect(await messageOf(attempt)).toContain('wrong SHA-512');
    expect(await readdir(empty)).toEqual([]);
  });

  test('that is answered with an error says so', async () => {
    const attempt = downloadControlPlane(published(await serve('', 404)), 'linux-amd64', empty);
    expect(await messageOf(attempt)).toContain('answered 404');
  });

  test('that stops halfway gives way', async () => {
    const limits = { firstByteMs: 1_000, stallMs: 200 };
    const attempt = downloadControlPlane(published(await serve(undefined)), 'linux-amd64', empty, limits);
    expect(await messageOf(attempt)).toContain('nothing came for');
  });
});

test('without a Redis the error names REDIS_URL and what to install', async () => {
  const message = await messageOf(findRedisServer(household));
  expect(message).toContain('ordertx found no Redis');
  expect(message).toContain('REDIS_URL=redis://127.0.0.1:6379');
  expect(message).toContain('apt-get install redis-server');
});
