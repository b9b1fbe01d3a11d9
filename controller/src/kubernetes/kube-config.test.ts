/** The controller reads kubeconfigs without the classes that the library generates for every resource of Kubernetes. */
import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

// In a process of its own: jest has a loader of its own, which our hooks are not asked by.
const SCRIPT = `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
const { loadKubeConfig, serverOf } = await import(process.argv[1]);
import { writeFileSync } from 'node:fs';
writeFileSync(process.argv[2], JSON.stringify({
  clusters: [{ name: 'here', cluster: { server: 'https://127.0.0.1:6443' } }],
  contexts: [{ name: 'here', context: { cluster: 'here', user: 'me' } }],
  users: [{ name: 'me', user: { token: 'secret' } }],
  'current-context': 'here',
}));
const generated = loaded.filter((url) => url.includes('/client-node/dist/gen/'));
console.log(JSON.stringify({ server: serverOf(loadKubeConfig(process.argv[2])), all: loaded.length, generated: generated.length }));
`;

test('they are not loaded, and a kubeconfig is read all the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kube-config-'));
  try {
    const credentials = new URL('credentials.ts', import.meta.url).href;
    const args = ['--input-type=module', '-e', SCRIPT, credentials, join(folder, 'config')];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { server, all, generated } = JSON.parse(stdout) as Record<string, unknown>;
    expect(server).toBe('https://127.0.0.1:6443');
    expect(all).toBeGreaterThan(50);
    expect(generated).toBeLessThan(40);
  } finally {
    await rm(folder, { recursive: true });
  }
});
