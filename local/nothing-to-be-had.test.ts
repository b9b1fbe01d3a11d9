/** On a machine that has nothing and reaches nothing, the error says what each way lacked and what to do. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findControlPlaneBinaries } from './control-plane/binaries.ts';
import type { ProcessGroup } from './process-group.ts';
import { findPrometheus } from '../tests/world/prometheus.ts';
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
const group: Pick<ProcessGroup, 'removeAtEnd' | 'start'> = {
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
    const message = await messageOf(findControlPlaneBinaries(group));
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
    expect(await messageOf(findControlPlaneBinaries(group))).toBe(
      `KUBEBUILDER_ASSETS (${empty}) lacks kube-apiserver, kubectl`,
    );
  });
});

test('without a Redis the error names REDIS_URL and what to install', async () => {
  const message = await messageOf(findRedisServer(group));
  expect(message).toContain('ordertx found no Redis');
  expect(message).toContain('REDIS_URL=redis://127.0.0.1:6379');
  expect(message).toContain('apt-get install redis-server');
});

test('without a Prometheus the error names the package and what to install', async () => {
  const message = await messageOf(findPrometheus(group));
  expect(message).toContain('There is no Prometheus. There is no apt-get, dpkg, apt-cache to unpack one with.');
  expect(message).toContain('apt-get install prometheus');
});
