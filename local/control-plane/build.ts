/**
 * Builds etcd, kube-apiserver, kubectl and kube-controller-manager from the published Go modules that modules/{kubernetes,etcd} pin.
 *
 * kube-apiserver can't be had by `go install`, because its go.mod replaces 33 modules by folders; modules/kubernetes
 * replaces them by their published selves. The version variables are what a release build sets: without them the server
 * calls itself v0.0.0-master and tools that check its version refuse it.
 */
import { goBuild, type GoProgram } from '../go-build.ts';
import type { ProcessGroup } from '../process-group.ts';
import { ETCD_VERSION, KUBERNETES_VERSION } from '../versions.ts';

const CONTROL_PLANE: readonly GoProgram[] = [
  kubernetesProgram('kube-apiserver', '3 to 4 minutes'),
  kubernetesProgram('kubectl', 'under a minute'),
  {
    ...{ name: 'etcd', version: ETCD_VERSION, module: 'etcd', main: 'go.etcd.io/etcd/server/v3' },
    minutes: 'under a minute',
  },
];

export async function buildControlPlane(group: Pick<ProcessGroup, 'start'>, into: string): Promise<void> {
  for (const program of CONTROL_PLANE) await goBuild(group, program, into);
}

export async function buildControllerManager(group: Pick<ProcessGroup, 'start'>, into: string): Promise<void> {
  await goBuild(group, kubernetesProgram('kube-controller-manager', '1 to 2 minutes'), into);
}

function kubernetesProgram(name: string, minutes: string): GoProgram {
  const main = `k8s.io/kubernetes/cmd/${name}`;
  return { name, version: KUBERNETES_VERSION, module: 'kubernetes', main, variables: versionVariables(), minutes };
}

function versionVariables(): Readonly<Record<string, string>> {
  const [major = '', minor = ''] = KUBERNETES_VERSION.slice(1).split('.');
  const variables = {
    gitVersion: KUBERNETES_VERSION,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    gitCommit: 'unknown',
    buildDate: '1970-01-01T00:00:00Z',
  };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  return Object.fromEntries(
    packages.flatMap((path) => Object.entries(variables).map(([name, value]) => [`${path}.${name}`, value])),
  );
}
