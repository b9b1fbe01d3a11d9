/**
 * The cluster as an administrator sees it: kubectl, and what is asked of it again and again.
 */
import { spawn } from 'node:child_process';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { waitFor } from '../../local/deadline.ts';
import type { Target } from '../../local/try-out/release.ts';

export type Said = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly lastState: { readonly terminated?: { readonly reason?: string; readonly exitCode: number } };
}

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly image: string }[] };
  readonly status: { readonly phase: string; readonly containerStatuses?: readonly ContainerStatus[] };
}

const ROLLOUT = '180s';
const OUTPUT_SHOWN = 600;
const COMPONENT = 'app.kubernetes.io/component';

export const componentOf = (pod: Pod): string => pod.metadata.labels[COMPONENT] ?? '';

export class Cluster {
  readonly target: Target;

  constructor(target: Target) {
    this.target = target;
  }

  /** Whatever it ends with. */
  async ask(args: readonly string[], stdin?: string): Promise<Said> {
    const { kubeconfig, namespace } = this.target;
    const all = ['--kubeconfig', kubeconfig, '--namespace', namespace, ...args];
    const child = spawn('kubectl', all, { stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
    const [stdout, stderr] = [gathered(child.stdout), gathered(child.stderr)];
    // It may end without having read all.
    child.stdin?.on('error', () => undefined).end(stdin);
    const code = await new Promise<number | null>((settle, fail) => {
      child.once('error', fail);
      child.once('close', settle);
    });
    return { code, stdout: stdout(), stderr: stderr() };
  }

  /** What it printed. @throws with what it said where it failed */
  async kubectl(args: readonly string[], stdin?: string): Promise<string> {
    const { code, stdout, stderr } = await this.ask(args, stdin);
    if (code !== 0)
      throw new Error(
        `kubectl ${args.slice(0, 4).join(' ')} failed: ${(stderr || stdout).trim().slice(-OUTPUT_SHOWN)}`,
      );
    return stdout;
  }

  async get<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl(['get', ...args, '--output', 'json'])) as T;
  }

  async apply(object: object): Promise<void> {
    await this.kubectl(['apply', '--filename', '-'], JSON.stringify(object));
  }

  /** Of the release: those of one component, or all. Those that are on their way out are left out. */
  async pods(component?: string): Promise<readonly Pod[]> {
    const only = component === undefined ? [] : [`${COMPONENT}=${component}`];
    const selector = [`app.kubernetes.io/instance=${this.target.release}`, ...only].join(',');
    const { items } = await this.get<{ readonly items: readonly Pod[] }>('pods', '--selector', selector);
    return items.filter(
      ({ metadata, status }) => metadata.deletionTimestamp === undefined && status.phase !== 'Succeeded',
    );
  }

  /** A pod of the component that is ready. */
  async podOf(component: string): Promise<Pod> {
    const pod = (await this.pods(component)).find(isReady);
    if (pod === undefined) throw new Error(`no pod of ${component} is ready`);
    return pod;
  }

  /** Runs Node with this module's text in a pod. @returns what it printed */
  async inPod(pod: string, script: string): Promise<string> {
    return this.kubectl(['exec', '--stdin', pod, '--', 'node', '--input-type=module', '-'], script);
  }

  /** Waits until every Deployment and StatefulSet of the release is what it should be. */
  async settled(): Promise<void> {
    const selector = `app.kubernetes.io/instance=${this.target.release}`;
    const names = await this.kubectl(['get', 'deployments,statefulsets', '--selector', selector, '--output', 'name']);
    for (const name of names.trim().split('\n')) await this.rolledOut(name);
  }

  async rolledOut(name: string): Promise<void> {
    await this.kubectl(['rollout', 'status', name, `--timeout=${ROLLOUT}`]);
  }

  async transactions(): Promise<readonly OrderTransaction[]> {
    return (await this.get<{ readonly items: readonly OrderTransaction[] }>('ordertransactions')).items;
  }

  /** Names of those that have not ended. */
  async unfinished(): Promise<readonly string[]> {
    return (await this.transactions())
      .filter(({ status }) => status?.finishedAt === undefined)
      .map(({ metadata }) => metadata.name);
  }

  /** Waits until at least so many are under way at one time. */
  async underWay(count: number, deadlineMs: number): Promise<readonly string[]> {
    return waitFor(
      async () => {
        const names = await this.unfinished();
        return names.length >= count && names;
      },
      { what: `${count} transactions to be under way`, deadlineMs, everyMs: 200 },
    );
  }

  /** Waits until each of these has ended; one that was removed has. */
  async ended(names: readonly string[], deadlineMs: number): Promise<void> {
    let left = names;
    const allEnded = async (): Promise<boolean> => {
      const unfinished = new Set(await this.unfinished());
      left = names.filter((name) => unfinished.has(name));
      return left.length === 0;
    };
    await waitFor(allEnded, { what: 'transactions to end', deadlineMs, everyMs: 500 }).catch((cause: unknown) => {
      throw new Error(`${(cause as Error).message}: ${left.slice(0, 5).join(', ')} (${left.length})`, { cause });
    });
  }
}

export const isReady = ({ status }: Pod): boolean => {
  const containers = status.containerStatuses ?? [];
  return containers.length > 0 && containers.every(({ ready }) => ready);
};

function gathered(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}
