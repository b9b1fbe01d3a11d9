/**
 * What the release's containers have used of their memory, by the kubelet's own figures. Pods come and go, so it is looked at again and again.
 */
import { componentOf, type Cluster } from './cluster.ts';

const MEBIBYTE = 1_048_576;
/** The highest since the container began, and where there is none, what it holds now. */
const USED = ['container_memory_max_usage_bytes', 'container_memory_working_set_bytes'];
const LIMIT = 'container_spec_memory_limit_bytes';

type Peak = { readonly used: number; readonly limit: number };

/** name{id="...<container>...",...} value [time]: by container. Not every kubelet fills in the other labels. */
function figures(text: string, name: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  return new Map(
    lines.flatMap((line) => {
      const [, id] = /[{,]id="[^"]*([0-9a-f]{64})[^"]*"/.exec(line) ?? [];
      const [, value] = /\} (\S+)/.exec(line) ?? [];
      return id === undefined ? [] : [[id, Number(value)] as const];
    }),
  );
}

export class Memory {
  readonly #cluster: Cluster;
  /** By component. */
  readonly #peaks = new Map<string, Peak>();
  readonly #killed = new Set<string>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async look(): Promise<void> {
    const pods = await this.#cluster.pods();
    const texts = new Map<string, string>();
    for (const node of new Set(pods.flatMap(({ spec }) => spec.nodeName ?? []))) {
      const path = `/api/v1/nodes/${node}/proxy/metrics/cadvisor`;
      texts.set(node, await this.#cluster.kubectl(['get', '--raw', path]));
    }
    for (const pod of pods) {
      const text = texts.get(pod.spec.nodeName ?? '') ?? '';
      const used = USED.map((name) => figures(text, name));
      const limits = figures(text, LIMIT);
      for (const { name, containerID = '', lastState } of pod.status.containerStatuses ?? []) {
        if (lastState.terminated?.reason === 'OOMKilled') this.#killed.add(`${pod.metadata.name}/${name}`);
        const id = containerID.split('://')[1] ?? '';
        const most = Math.max(0, ...used.map((each) => each.get(id) ?? 0));
        const before = this.#peaks.get(componentOf(pod));
        if (most > (before?.used ?? 0)) this.#peaks.set(componentOf(pod), { used: most, limit: limits.get(id) ?? 0 });
      }
    }
  }

  /** @throws where somebody was killed for want of memory, or has no limit */
  verdict(): string {
    if (this.#killed.size > 0) throw new Error(`for want of memory were killed ${[...this.#killed].join(', ')}`);
    const rows = [...this.#peaks].map(
      ([component, { used, limit }]) => `${component} ${inMebibytes(used)} of ${inMebibytes(limit)} MiB`,
    );
    if (rows.length === 0) throw new Error('the kubelet has no figures of any container');
    const open = [...this.#peaks].filter(([, { used, limit }]) => !(used < limit)).map(([component]) => component);
    if (open.length > 0) throw new Error(`without a limit, or at it, are ${open.join(', ')}: ${rows.join(', ')}`);
    return rows.toSorted().join(', ');
  }
}

const inMebibytes = (bytes: number): string => (bytes / MEBIBYTE).toFixed(0);
