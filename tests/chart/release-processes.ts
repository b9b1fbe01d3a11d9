/**
 * A release's pods as processes on this machine: each under the account, and with the environment, that its Deployment in the API server
 * gives it. Only what a kubelet would do is done here: secrets are looked up, and tokens of the account are asked for.
 */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { connect, type ApiServer } from '../../local/control-plane/api.ts';
import { writeKubeconfig } from '../../local/control-plane/kubeconfig.ts';
import { runPart, type Part } from '../../local/parts.ts';
import { freePort } from '../../local/ports.ts';
import { inheritedEnvironment, type ProcessGroup } from '../../local/process-group.ts';
import { answersReadyz } from '../../local/services.ts';
import { world } from '../world/world.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const READY_MS = 60_000;
const CLUSTER_NAMES = pathToFileURL(join(import.meta.dirname, 'cluster-names.ts')).href;

interface EnvEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env: readonly EnvEntry[];
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: boolean;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly [Container];
}

export interface ReleasePart {
  readonly component: string;
  /** Of public routes and of operators'; the controller has one for both. */
  readonly url: string;
  readonly adminUrl: string;
  readonly part: Part;
}

export interface ReleaseOptions {
  readonly group: ProcessGroup;
  readonly admin: ApiServer;
  readonly namespace: string;
  readonly fullname: string;
  /** Ports on this machine of what is no part of the release, by `<host>:<port>` as pods know it. */
  readonly others?: Readonly<Record<string, number>>;
}

export class Release {
  readonly #options: ReleaseOptions;
  readonly parts = new Map<string, ReleasePart>();
  /** By `<host>:<port>` as pods know it. */
  readonly #names: Record<string, number> = {};

  constructor(options: ReleaseOptions) {
    this.#options = options;
    Object.assign(this.#names, options.others);
  }

  /** Starts one process of each Deployment; resolves when all are ready. */
  async start(): Promise<void> {
    const { admin, namespace, fullname } = this.#options;
    const { body } = await admin.request('GET', `/apis/apps/v1/namespaces/${namespace}/deployments`);
    const { items } = body as {
      readonly items: readonly {
        readonly metadata: { readonly name: string };
        readonly spec: { readonly template: { readonly spec: PodSpec } };
      }[];
    };
    // Another release's may stand beside them.
    const pods = items
      .filter(({ metadata, spec }) => metadata.name === `${fullname}-${spec.template.spec.containers[0].name}`)
      .map(({ spec }) => spec.template.spec);
    for (const pod of pods) {
      const host = `${fullname}-${pod.containers[0].name}`;
      for (const port of [8080, 8081]) {
        const here = await freePort();
        for (const name of [host, `${host}.${namespace}.svc`]) this.#names[`${name}:${port}`] = here;
      }
    }
    await Promise.all(pods.map((pod) => this.#startPod(pod)));
  }

  part(component: string): ReleasePart {
    const found = this.parts.get(component);
    if (!found) throw new Error(`${component} is not in this release`);
    return found;
  }

  /** A client with the rights of an account of the release. */
  async as(account: string): Promise<ApiServer> {
    const { apiServerUrl: url, certificate } = world();
    return connect({ url, certificate, token: await this.tokenOf(account) });
  }

  async tokenOf(account: string): Promise<string> {
    const { admin, namespace } = this.#options;
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`;
    const { status, body } = await admin.request('POST', path, { spec: {} });
    const token = (body as { readonly status?: { readonly token?: string } }).status?.token;
    if (!token) throw new Error(`no token for ${account} (${status}): ${JSON.stringify(body)}`);
    return token;
  }

  /** What a container's process would find in its environment, and how it is told where other pods are. */
  async environmentOf({ containers: [own] }: PodSpec, { env }: Container = own): Promise<Record<string, string>> {
    const entries = await Promise.all(
      env.map(async (entry) => [entry.name, await this.#valueOf(entry, own.name)] as const),
    );
    const known = new Map<string, string>();
    // As a kubelet does: a variable is known to those that stand after it.
    for (const [variable, value] of entries)
      known.set(
        variable,
        value.replaceAll(/\$\((\w+)\)/g, (whole, other: string) => known.get(other) ?? whole),
      );
    return {
      ...inheritedEnvironment(),
      ...Object.fromEntries(known),
      NODE_OPTIONS: `--import=${CLUSTER_NAMES} --disable-warning=ExperimentalWarning`,
      CLUSTER_NAMES: JSON.stringify(this.#names),
    };
  }

  async #valueOf({ value, valueFrom }: EnvEntry, pod: string): Promise<string> {
    if (valueFrom?.fieldRef?.fieldPath === 'metadata.name') return `${this.#options.fullname}-${pod}-1`;
    const reference = valueFrom?.secretKeyRef;
    if (reference === undefined) return value ?? '';
    return this.secret(reference.name, reference.key);
  }

  /** What a secret has under a key. */
  async secret(name: string, key: string): Promise<string> {
    const { admin, namespace } = this.#options;
    const { body } = await admin.request('GET', `/api/v1/namespaces/${namespace}/secrets/${name}`);
    const encoded = (body as { readonly data?: Readonly<Record<string, string>> }).data?.[key];
    if (encoded === undefined) throw new Error(`there is no key ${key} of a secret ${name}`);
    return Buffer.from(encoded, 'base64').toString();
  }

  async #startPod(pod: PodSpec): Promise<void> {
    const { group, namespace, fullname } = this.#options;
    const component = pod.containers[0].name;
    const main = component === 'controller' ? 'controller/src/main.ts' : `services/${component}/src/main.ts`;
    for (const first of pod.initContainers ?? []) {
      const env = await this.environmentOf(pod, first);
      await promisify(execFile)(process.execPath, [join(ROOT, main), ...(first.args ?? [])], { env, cwd: ROOT });
    }
    const [port = 0, adminPort = 0] = [8080, 8081].map((each) => this.#names[`${fullname}-${component}:${each}`]);
    const env = {
      ...(await this.environmentOf(pod)),
      ...{ HOST: '127.0.0.1', PORT: String(port) },
      ...(component !== 'controller' && { ADMIN_PORT: String(adminPort), METRICS_PORT: String(await freePort()) }),
      // A pod whose account's token is not mounted has no credentials at all.
      ...(pod.automountServiceAccountToken && { KUBECONFIG: await this.#kubeconfigOf(pod.serviceAccountName) }),
    };
    const url = `http://127.0.0.1:${port}`;
    const spec = {
      name: `${namespace}-${fullname}-${component}`,
      command: process.execPath,
      args: [join(ROOT, main)],
      env,
      cwd: ROOT,
      leaf: true,
    };
    const part = await runPart(group, { spec, ready: () => answersReadyz(url), readyMs: READY_MS });
    const adminUrl = component === 'controller' ? url : `http://127.0.0.1:${adminPort}`;
    this.parts.set(component, { component, url, adminUrl, part });
  }

  async #kubeconfigOf(account: string): Promise<string> {
    const { group, namespace } = this.#options;
    const { apiServerUrl: url, certificate } = world();
    const path = join(group.folder, `kubeconfig-${account}`);
    await writeKubeconfig(path, { url, certificate, token: await this.tokenOf(account), user: account, namespace });
    return path;
  }

  /** The folder that a kubelet mounts with an account's token. */
  async accountFolder(account: string): Promise<string> {
    const folder = join(this.#options.group.folder, `account-${account}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'token'), await this.tokenOf(account));
    await writeFile(join(folder, 'ca.crt'), world().certificate);
    return folder;
  }
}
