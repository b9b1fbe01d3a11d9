/**
 * Builds etcd, kube-apiserver, kubectl and kube-controller-manager from the published Go modules that modules/{kubernetes,etcd} pin.
 *
 * kube-apiserver can't be had by `go install`, because its go.mod replaces 33 modules by folders; modules/kubernetes
 * replaces them by their published selves. The version variables are what a release build sets: without them the server
 * calls itself v0.0.0-master and tools that check its version refuse it.
 */
import { join } from 'node:path';
import { inheritedEnvironment, type ProcessGroup, type ProcessSpec } from '../process-group.ts';
import { progress } from '../progress.ts';
import { ETCD_VERSION, KUBERNETES_VERSION } from '../versions.ts';
import { which } from '../which.ts';

type Program = {
  readonly name: string;
  readonly module: 'kubernetes' | 'etcd';
  readonly main: string;
  readonly minutes: string;
};

const CONTROL_PLANE: readonly Program[] = [
  {
    name: 'kube-apiserver',
    module: 'kubernetes',
    main: 'k8s.io/kubernetes/cmd/kube-apiserver',
    minutes: '3 to 4 minutes',
  },
  { name: 'kubectl', module: 'kubernetes', main: 'k8s.io/kubernetes/cmd/kubectl', minutes: 'under a minute' },
  { name: 'etcd', module: 'etcd', main: 'go.etcd.io/etcd/server/v3', minutes: 'under a minute' },
];

const CONTROLLER_MANAGER: Program = {
  name: 'kube-controller-manager',
  module: 'kubernetes',
  main: 'k8s.io/kubernetes/cmd/kube-controller-manager',
  minutes: '1 to 2 minutes',
};

export async function buildControlPlane(group: Pick<ProcessGroup, 'start'>, into: string): Promise<void> {
  await buildAll(group, CONTROL_PLANE, into);
}

export async function buildControllerManager(group: Pick<ProcessGroup, 'start'>, into: string): Promise<void> {
  await buildAll(group, [CONTROLLER_MANAGER], into);
}

async function buildAll(group: Pick<ProcessGroup, 'start'>, programs: readonly Program[], into: string): Promise<void> {
  const go = which('go');
  if (!go) throw new Error('there is no `go` on the PATH');
  for (const { name, module, main, minutes } of programs) {
    const version = module === 'etcd' ? ETCD_VERSION : KUBERNETES_VERSION;
    const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', linkerFlags(module), '-o', join(into, name), main];
    const what = `building ${name} ${version} (once, ${minutes})`;
    await progress(what, () => build(group, { name: `build-${name}`, command: go, args }, module));
  }
}

/** Runs the compiler in the process group, so that it ends with us: it would go on for minutes. */
async function build(
  group: Pick<ProcessGroup, 'start'>,
  compiler: Pick<ProcessSpec, 'name' | 'command' | 'args'>,
  module: Program['module'],
): Promise<void> {
  const cwd = join(import.meta.dirname, 'modules', module);
  const running = await group.start({ ...compiler, cwd, env: { ...inheritedEnvironment(), CGO_ENABLED: '0' } });
  const { code, signal } = await running.exited;
  if (code === 0) return;
  const output = await running.logTail();
  throw new Error(`\`go build\` failed (${signal ?? `exit code ${code}`}): ${lastLines(output)}`);
}

function linkerFlags(module: Program['module']): string {
  if (module === 'etcd') return '-s -w';
  const [major, minor] = KUBERNETES_VERSION.slice(1).split('.');
  const variables = {
    gitVersion: KUBERNETES_VERSION,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    gitCommit: 'unknown',
    buildDate: '1970-01-01T00:00:00Z',
  };
  const packages = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'];
  const settings = packages.flatMap((path) =>
    Object.entries(variables).map(([name, value]) => `-X ${path}.${name}=${value}`),
  );
  return ['-s', '-w', ...settings].join(' ');
}

const ERROR_LINES_MAX = 5;

function lastLines(output: string): string {
  return output.split('\n').slice(-ERROR_LINES_MAX).join('\n    ');
}
