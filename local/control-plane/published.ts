/**
 * Downloads the published envtest archive, checks it against the pinned digest and unpacks it.
 *
 * It must give way within seconds where the network leads nowhere, because building is possible then: there are limits
 * on the time to the first byte and between two chunks, but none on the whole of a slow but steady download.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EnvHttpProxyAgent, fetch } from 'undici';
import { progress } from '../progress.ts';
import type { Platform, PublishedArchives } from '../versions.ts';

const run = promisify(execFile);

export type DownloadLimits = { readonly firstByteMs: number; readonly stallMs: number };

const CONNECT_MS = 3_000;
const LIMITS: DownloadLimits = { firstByteMs: 6_000, stallMs: 10_000 };

export async function downloadControlPlane(
  published: Pick<PublishedArchives, 'url' | 'sha512'>,
  platform: Platform,
  into: string,
  limits = LIMITS,
): Promise<void> {
  const expected = published.sha512[platform];
  if (!expected) throw new Error(`no digest is pinned for ${platform}`);
  const url = published.url(platform);
  const bytes = await progress(`downloading the control plane from ${new URL(url).host}`, () => download(url, limits));
  const actual = createHash('sha512').update(bytes).digest('hex');
  if (actual !== expected) {
    throw new Error(
      `what ${new URL(url).host} sent has the wrong SHA-512 (${actual.slice(0, 16)}..., not ${expected.slice(0, 16)}...)`,
    );
  }
  const archive = join(into, 'archive.tar.gz');
  await writeFile(archive, bytes);
  await run('tar', ['-xzf', archive, '-C', into]);
  for (const program of ['etcd', 'kube-apiserver', 'kubectl']) {
    await copyFile(join(into, 'controller-tools', 'envtest', program), join(into, program));
  }
  await rm(join(into, 'controller-tools'), { recursive: true });
  await rm(archive);
}

async function download(url: string, { firstByteMs, stallMs }: DownloadLimits): Promise<Buffer> {
  const abort = new AbortController();
  const abortAfter = (limitMs: number, what: string) =>
    setTimeout(() => abort.abort(new Error(`${what} ${limitMs / 1000} s`)), limitMs);
  let timer = abortAfter(firstByteMs, 'no answer within');
  const dispatcher = new EnvHttpProxyAgent({ connect: { timeout: CONNECT_MS } });
  try {
    const response = await fetch(url, { dispatcher, signal: abort.signal });
    if (!response.ok || !response.body) throw new Error(`${new URL(url).host} answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    const waitForChunk = () => {
      clearTimeout(timer);
      timer = abortAfter(stallMs, 'nothing came for');
    };
    waitForChunk();
    for await (const chunk of response.body) {
      waitForChunk();
      chunks.push(chunk as Uint8Array);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    // fetch says "fetch failed" and keeps why in the cause.
    const { message, cause } = error as Error & { readonly cause?: Error };
    throw new Error(cause === undefined ? message : `${message}: ${cause.message}`, { cause: error });
  } finally {
    clearTimeout(timer);
    await dispatcher.destroy();
  }
}
