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
import { PUBLISHED_CONTROL_PLANE, type Platform } from '../versions.ts';

const run = promisify(execFile);

const CONNECT_MS = 3_000;
const FIRST_BYTE_MS = 6_000;
const STALL_MS = 10_000;

export async function downloadControlPlane(platform: Platform, into: string): Promise<void> {
  const expected = PUBLISHED_CONTROL_PLANE.sha512[platform];
  if (!expected) throw new Error(`no digest is pinned for ${platform}`);
  const url = PUBLISHED_CONTROL_PLANE.url(platform);
  const bytes = await progress(`downloading the control plane from ${new URL(url).host}`, () => download(url));
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

async function download(url: string): Promise<Buffer> {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(new Error(`no answer within ${FIRST_BYTE_MS / 1000} s`)), FIRST_BYTE_MS);
  const dispatcher = new EnvHttpProxyAgent({ connect: { timeout: CONNECT_MS } });
  try {
    const response = await fetch(url, { dispatcher, signal: abort.signal });
    if (!response.ok || !response.body) throw new Error(`${new URL(url).host} answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(new Error(`nothing came for ${STALL_MS / 1000} s`)), STALL_MS);
      chunks.push(chunk as Uint8Array);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    const cause = (error as Error).cause instanceof Error ? `: ${((error as Error).cause as Error).message}` : '';
    throw new Error(`${(error as Error).message}${cause}`, { cause: error });
  } finally {
    clearTimeout(timer);
    await dispatcher.destroy();
  }
}
