/**
 * helm, in the two versions that the chart is held to: found where HELM (helm 4) or HELM_3 names a program, else in the project's
 * cache, else built from the published Go modules that control-plane/modules/{helm4,helm3} pin.
 *
 * Whatever a caller's own helm knows (repositories, plugins, a cluster) stays out: each call brings its kubeconfig, and its folders
 * are empty ones.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, cacheFolder } from './cache.ts';
import { goBuild, type GoProgram } from './go-build.ts';
import type { ProcessGroup } from './process-group.ts';
import { HELM_3_VERSION, HELM_VERSION, thisPlatform } from './versions.ts';

export type HelmMajor = 3 | 4;

const PROGRAMS: Readonly<Record<HelmMajor, GoProgram & { readonly setting: string }>> = {
  4: {
    ...{ name: 'helm', version: HELM_VERSION, module: 'helm4', main: 'helm.sh/helm/v4/cmd/helm', setting: 'HELM' },
    variables: { 'helm.sh/helm/v4/internal/version.version': HELM_VERSION },
    minutes: '1 to 2 minutes',
  },
  3: {
    ...{ name: 'helm', version: HELM_3_VERSION, module: 'helm3', main: 'helm.sh/helm/v3/cmd/helm', setting: 'HELM_3' },
    // What helm 3 takes a cluster's version to be where it renders without one: that of its own client, 0.33.
    variables: {
      'helm.sh/helm/v3/internal/version.version': HELM_3_VERSION,
      'helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor': '1',
      'helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor': '33',
      'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor': '1',
      'helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor': '33',
    },
    minutes: '1 to 2 minutes',
  },
};

/** The path of a helm of that major version. */
export async function findHelm(
  group: Pick<ProcessGroup, 'start' | 'removeAtEnd'>,
  major: HelmMajor = 4,
): Promise<string> {
  const program = PROGRAMS[major];
  const named = process.env[program.setting];
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(
      `${program.setting} names ${named}, which is not there: name helm ${major}'s program, or leave it unset`,
    );
  }
  const folder = cacheFolder('helm', `${program.version}-${thisPlatform()}`);
  try {
    return join(await cached(folder, (into) => goBuild(group, program, into), group.removeAtEnd), program.name);
  } catch (error) {
    throw new Error(
      `helm ${program.version} was not found, and building it failed: ${(error as Error).message}
Either of these helps:
  - set ${program.setting} to the path of a helm ${major}
  - install Go (https://go.dev/dl) and let it reach its module proxy; building takes a minute or two, once`,
      { cause: error },
    );
  }
}

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const run = promisify(execFile);

export type HelmCall = {
  readonly helm: string;
  readonly args: readonly string[];
  /** A folder that is the caller's alone: helm keeps what it caches there. */
  readonly home: string;
  /** Without one, helm reaches no cluster. */
  readonly kubeconfig?: string;
};

/** Runs helm; resolves with what it printed, rejects with what it printed to stderr. */
export async function runHelm({ helm, args, home, kubeconfig }: HelmCall): Promise<string> {
  const env = {
    PATH: process.env.PATH,
    ...{ HOME: home, HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home },
    KUBECONFIG: kubeconfig ?? '/dev/null',
    // By itself it asks a few times a second, for the sake of API servers that others use, too.
    ...{ HELM_QPS: '1000', HELM_BURST_LIMIT: '1000' },
  };
  try {
    const { stdout } = await run(helm, args, { env, maxBuffer: OUTPUT_BYTES_MAX });
    return stdout;
  } catch (error) {
    const { stderr = '', code } = error as { readonly stderr?: string; readonly code?: unknown };
    throw new Error(`helm ${args[0]} failed (${String(code)}): ${stderr.trim()}`, { cause: error });
  }
}
