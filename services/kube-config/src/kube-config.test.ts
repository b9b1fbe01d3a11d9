/** Who reads kubeconfigs does without the classes that the library generates for every resource of Kubernetes. */
import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const KUBECONFIG = {
  clusters: [{ name: 'here', cluster: { server: 'https://127.0.0.1:6443' } }],
  contexts: [{ name: 'here', context: { cluster: 'here', user: 'me' } }],
  users: [{ name: 'me', user: { token: 'secret' } }],
  'current-context': 'here',
};

// In a process of its own: jest has a loader of its own, which our hooks are not asked by.
const SCRIPT = `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
const { loadKubeConfig } = await import(process.argv[1]);
const server = loadKubeConfig(process.argv[2]).getCurrentCluster()?.server;
const generated = loaded.filter((url) => url.includes('/client-node/dist/gen/'));
console.log(JSON.stringify({ server, all: loaded.length, generated: generated.length }));
`;

test.each(['controller/src/kubernetes/credentials.ts', 'services/order/src/creation/api-server.ts'])(
  '%s reads one, and they are not loaded',
  async (file) => {
    const folder = await mkdtemp(join(tmpdir(), 'kube-config-'));
    try {
      const path = join(folder, 'config');
      await writeFile(path, JSON.stringify(KUBECONFIG));
      const args = ['--input-type=module', '-e', SCRIPT, new URL(`../../../${file}`, import.meta.url).href, path];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const { server, all, generated } = JSON.parse(stdout) as Record<string, unknown>;
      expect(server).toBe('https://127.0.0.1:6443');
      expect(all).toBeGreaterThan(50);
      expect(generated).toBeLessThan(40);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
