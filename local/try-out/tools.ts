/**
 * What has to be there before anything is done: programs on the PATH, and a docker daemon that answers.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { which } from '../which.ts';

/** What each is for, and where it is to be had. */
export const TOOLS = {
  docker: 'builds images and runs the node: https://docs.docker.com/get-docker/',
  kind: 'makes the cluster, 0.32 or newer: https://kind.sigs.k8s.io/docs/user/quick-start/#installation',
  helm: 'installs the chart, 3.18 or newer: https://helm.sh/docs/intro/install/',
  kubectl: 'looks into the cluster: https://kubernetes.io/docs/tasks/tools/',
} as const;

export type Tool = keyof typeof TOOLS;

const DAEMON_MS = 20_000;

/** A sentence for each thing that is missing; nothing where all is there. */
export async function lacking(tools: readonly Tool[]): Promise<readonly string[]> {
  const missing = tools
    .filter((tool) => which(tool) === undefined)
    .map((tool) => `${tool} is not on the PATH; it ${TOOLS[tool]}`);
  return tools.includes('docker') && which('docker') !== undefined ? [...missing, ...(await lackingDaemon())] : missing;
}

async function lackingDaemon(): Promise<readonly string[]> {
  try {
    await promisify(execFile)('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: DAEMON_MS });
    return [];
  } catch (error) {
    const { stderr = '', killed } = error as { readonly stderr?: string; readonly killed?: boolean };
    const why = killed === true ? `no answer in ${DAEMON_MS / 1000} s` : (stderr.trim().split('\n').at(-1) ?? '');
    return [`docker is there, and its daemon does not answer; start it (${why})`];
  }
}
