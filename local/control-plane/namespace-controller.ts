/**
 * Kubernetes' own kube-controller-manager, with its namespace controller alone: what empties a namespace that is deleted.
 *
 * The system here does without it; a test of what becomes of a deleted namespace must not.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runPart, type Part } from '../parts.ts';
import { freePort } from '../ports.ts';
import { inheritedEnvironment, type ProcessGroup } from '../process-group.ts';
import { connect } from './api.ts';
import { findControllerManager } from './binaries.ts';

const READY_MS = 60_000;

/** @param kubeconfig the administrator's: it deletes whatever is in the namespace, of any kind */
export async function startNamespaceController(group: ProcessGroup, kubeconfig: string): Promise<Part> {
  const command = await findControllerManager(group);
  const folder = join(group.folder, 'namespace-controller');
  await mkdir(folder, { mode: 0o700 });
  const port = await freePort();
  const args = [
    ...[`--kubeconfig=${kubeconfig}`, '--controllers=namespace-controller', '--leader-elect=false'],
    ...['--bind-address=127.0.0.1', `--secure-port=${port}`, `--cert-dir=${folder}`],
  ];
  const ready = async () => {
    const certificate = await readFile(join(folder, 'kube-controller-manager.crt'), 'utf8');
    const probe = connect({ url: `https://127.0.0.1:${port}`, token: '', certificate });
    try {
      return (await probe.request('GET', '/healthz')).status === 200;
    } finally {
      await probe.close();
    }
  };
  const spec = { name: 'kube-controller-manager', command, args, env: inheritedEnvironment(), cwd: folder };
  return runPart(group, { spec, ready, readyMs: READY_MS });
}
