/**
 * Finds the programs of a real control plane: etcd, kube-apiserver and kubectl, and for tests kube-controller-manager.
 *
 * In this order: the folder KUBEBUILDER_ASSETS names; the project's cache; the envtest archive published for this
 * platform; else built from the published Go modules. Where none of them works the error says what each one lacked.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cached, cacheFolder } from '../cache.ts';
import type { ProcessGroup } from '../process-group.ts';
import { say } from '../progress.ts';
import { KUBERNETES_VERSION, PUBLISHED_CONTROL_PLANE, thisPlatform } from '../versions.ts';
import { buildControllerManager, buildControlPlane } from './build.ts';
import { downloadControlPlane } from './published.ts';

export type ControlPlaneBinaries = { readonly etcd: string; readonly apiserver: string; readonly kubectl: string };

const PROGRAMS = ['etcd', 'kube-apiserver', 'kubectl'] as const;

export async function findControlPlaneBinaries(
  group: Pick<ProcessGroup, 'start' | 'removeAtEnd'>,
): Promise<ControlPlaneBinaries> {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets) return complete(assets, 'KUBEBUILDER_ASSETS');

  const platform = thisPlatform();
  const built = cacheFolder('control-plane', `${KUBERNETES_VERSION}-${platform}`);
  const published = cacheFolder('control-plane', `envtest-${PUBLISHED_CONTROL_PLANE.version}-${platform}`);
  for (const folder of [built, published]) if (existsSync(folder)) return complete(folder, 'the cache');

  const failures: string[] = [];
  try {
    return complete(
      await cached(
        published,
        (into) => downloadControlPlane(PUBLISHED_CONTROL_PLANE, platform, into),
        group.removeAtEnd,
      ),
      'the published archive',
    );
  } catch (error) {
    failures.push(`- the published envtest archive: ${(error as Error).message}`);
    say(`no published control plane to be had (${(error as Error).message}); building it instead`);
  }
  try {
    return complete(await cached(built, (into) => buildControlPlane(group, into), group.removeAtEnd), 'the build');
  } catch (error) {
    failures.push(`- building it from the Go modules: ${(error as Error).message}`);
  }
  throw new Error(`ordertx needs a real kube-apiserver and etcd, and found none:
- KUBEBUILDER_ASSETS is not set
- the cache has none (${built})
${failures.join('\n')}
Any one of these helps:
  - set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl of Kubernetes 1.36 (setup-envtest makes one)
  - let this machine reach ${new URL(PUBLISHED_CONTROL_PLANE.url(platform)).host}
  - install Go (https://go.dev/dl) and let it reach its module proxy; building takes about 4 minutes, once`);
}

const CONTROLLER_MANAGER = 'kube-controller-manager';

/** Not part of the envtest archive and needed by tests only: it is built where KUBEBUILDER_ASSETS has none. */
export async function findControllerManager(group: Pick<ProcessGroup, 'start' | 'removeAtEnd'>): Promise<string> {
  const assets = process.env.KUBEBUILDER_ASSETS;
  if (assets && existsSync(join(assets, CONTROLLER_MANAGER))) return join(assets, CONTROLLER_MANAGER);
  const built = cacheFolder('controller-manager', `${KUBERNETES_VERSION}-${thisPlatform()}`);
  try {
    return join(
      await cached(built, (into) => buildControllerManager(group, into), group.removeAtEnd),
      CONTROLLER_MANAGER,
    );
  } catch (error) {
    throw new Error(`this test needs a real kube-controller-manager, and building it failed: ${(error as Error).message}
Either of these helps:
  - put kube-controller-manager of Kubernetes 1.36 into the folder that KUBEBUILDER_ASSETS names
  - install Go (https://go.dev/dl) and let it reach its module proxy; building takes a minute or two, once`);
  }
}

function complete(folder: string, source: string): ControlPlaneBinaries {
  const missing = PROGRAMS.filter((program) => !existsSync(join(folder, program)));
  if (missing.length > 0) throw new Error(`${source} (${folder}) lacks ${missing.join(', ')}`);
  return {
    etcd: join(folder, 'etcd'),
    apiserver: join(folder, 'kube-apiserver'),
    kubectl: join(folder, 'kubectl'),
  };
}
