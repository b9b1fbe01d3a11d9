/**
 * What has to be there before anything is done: programs on the PATH that are new enough, and a docker daemon that answers.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { HELM_3_VERSION } from '../versions.ts';
import { which } from '../which.ts';

type Version = readonly [major: number, minor: number];

type Needed = {
  /** What it is for, and where it is to be had. */
  readonly is: string;
  /** What prints its version; docker's is its daemon's, because that is what builds and runs. */
  readonly asked?: readonly string[];
  readonly oldest?: Version;
};

export const TOOLS = {
  docker: {
    is: 'builds images and runs the node: https://docs.docker.com/get-docker/',
    asked: ['version', '--format', '{{.Server.Version}}'],
    // Its BuildKit is the oldest that the Dockerfile was built with.
    oldest: [20, 10],
  },
  kind: {
    is: 'makes the cluster: https://kind.sigs.k8s.io/docs/user/quick-start/#installation',
    asked: ['version'],
    // The first that writes kubeadm's v1beta4, and whose node image kind-config.yaml names.
    oldest: [0, 32],
  },
  helm: {
    is: 'installs the chart: https://helm.sh/docs/intro/install/',
    asked: ['version', '--template', '{{.Version}}'],
    oldest: versionIn(HELM_3_VERSION) ?? [3, 18],
  },
  kubectl: { is: 'looks into the cluster: https://kubernetes.io/docs/tasks/tools/' },
} as const satisfies Readonly<Record<string, Needed>>;

export type Tool = keyof typeof TOOLS;

const ANSWER_MS = 20_000;
const GIBIBYTE = 1_073_741_824;
/** What the try-out comes to with the control plane beside it, by the figures of docs/operating/sizing.md, and room for a build. */
export const MEMORY_GIB = 4;
/** A machine of 4 GiB tells of a little less. */
const MEMORY_BYTES_MIN = 0.9 * MEMORY_GIB * GIBIBYTE;

/** A sentence for each thing that is missing or too old; nothing where all is as it should be. */
export async function lacking(tools: readonly Tool[]): Promise<readonly string[]> {
  return (await Promise.all(tools.map(lackingOf))).filter((sentence) => sentence !== undefined);
}

async function lackingOf(tool: Tool): Promise<string | undefined> {
  const { is, asked, oldest }: Needed = TOOLS[tool];
  const [from, newer] = [oldest?.join('.'), oldest === undefined ? '' : `, ${oldest.join('.')} or newer`];
  if (which(tool) === undefined) return `${tool}${newer} is not on the PATH; it ${is}`;
  if (asked === undefined || oldest === undefined) return undefined;
  const answer = await answerOf(tool, asked);
  if ('why' in answer)
    return tool === 'docker' ? noDaemon(answer.why) : `${tool} does not say its version (${answer.why}); it ${is}`;
  const version = versionIn(answer.said);
  // One of somebody's own making may call itself anything, or nothing.
  return version !== undefined && isOlder(version, oldest)
    ? `${tool} ${version.join('.')} is too old: ${from} or newer is needed; it ${is}`
    : undefined;
}

const noDaemon = (why: string): string => `docker is there, and its daemon does not answer; start it (${why})`;

/** A sentence where docker has less memory than a try-out takes: it may do all the same. */
export async function tightMemory(): Promise<string | undefined> {
  const answer = await answerOf('docker', ['info', '--format', '{{.MemTotal}}']);
  const bytes = 'said' in answer ? Number.parseInt(answer.said, 10) : NaN;
  if (!(bytes < MEMORY_BYTES_MIN)) return undefined;
  return `docker has ${(bytes / GIBIBYTE).toFixed(1)} GiB of memory, and this takes up to ${MEMORY_GIB}: pods may be killed for want of it`;
}

type Answer = { readonly said: string } | { readonly why: string };

async function answerOf(tool: Tool, args: readonly string[]): Promise<Answer> {
  try {
    return { said: (await promisify(execFile)(tool, args, { timeout: ANSWER_MS })).stdout };
  } catch (error) {
    const { stderr = '', killed } = error as { readonly stderr?: string; readonly killed?: boolean };
    return { why: killed === true ? `no answer in ${ANSWER_MS / 1000} s` : (stderr.trim().split('\n').at(-1) ?? '') };
  }
}

/** The first that a text names: "kind v0.32.0 go1.26.0 linux/amd64". */
function versionIn(text: string): Version | undefined {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}

function isOlder([major, minor]: Version, [majorMin, minorMin]: Version): boolean {
  return major < majorMin || (major === majorMin && minor < minorMin);
}
