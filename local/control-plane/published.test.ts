/** What is downloaded is unpacked if it is what was pinned, and a bad network gives way. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { downloadControlPlane } from './published.ts';

let root: string;
let into: string;
let server: Server | undefined;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'published-test-'));
  into = join(root, 'into');
  await mkdir(into);
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await rm(root, { recursive: true });
});

/** Serves `body`; without one it sends its headers and then nothing more. */
async function serve(body: Buffer | undefined, status = 200): Promise<string> {
  const listening = createServer((_, answer) => {
    answer.writeHead(status);
    if (body === undefined) answer.flushHeaders();
    else answer.end(body);
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/archive.tar.gz`;
}

function published(url: string, sha512 = '00'.repeat(64)) {
  return { url: () => url, sha512: { 'linux-amd64': sha512 } } as const;
}

/** An archive as the project publishes them. */
async function archive(): Promise<Buffer> {
  const folder = join(root, 'controller-tools', 'envtest');
  await mkdir(folder, { recursive: true });
  for (const program of ['etcd', 'kube-apiserver', 'kubectl'])
    await writeFile(join(folder, program), `I am ${program}`);
  execFileSync('tar', ['-czf', join(root, 'archive.tar.gz'), '-C', root, 'controller-tools']);
  return readFile(join(root, 'archive.tar.gz'));
}

test('an archive with the pinned digest becomes the three programs', async () => {
  const bytes = await archive();
  const digest = createHash('sha512').update(bytes).digest('hex');
  await downloadControlPlane(published(await serve(bytes), digest), 'linux-amd64', into);
  expect((await readdir(into)).sort()).toEqual(['etcd', 'kube-apiserver', 'kubectl']);
  expect(await readFile(join(into, 'kubectl'), 'utf8')).toBe('I am kubectl');
});

test('an archive with another digest is refused and leaves nothing', async () => {
  const attempt = downloadControlPlane(published(await serve(await archive())), 'linux-amd64', into);
  await expect(attempt).rejects.toThrow('wrong SHA-512');
  expect(await readdir(into)).toEqual([]);
});

test('a platform without a pinned digest is not downloaded', async () => {
  const attempt = downloadControlPlane(published('http://127.0.0.1:1/'), 'darwin-arm64', into);
  await expect(attempt).rejects.toThrow('no digest is pinned for darwin-arm64');
});

test('an answer that is an error says so', async () => {
  const attempt = downloadControlPlane(published(await serve(Buffer.from(''), 404)), 'linux-amd64', into);
  await expect(attempt).rejects.toThrow('answered 404');
});

test('a download that stops halfway gives way', async () => {
  const limits = { firstByteMs: 1_000, stallMs: 200 };
  const attempt = downloadControlPlane(published(await serve(undefined)), 'linux-amd64', into, limits);
  await expect(attempt).rejects.toThrow('nothing came for 0.2 s');
});
