/**
 * A shop of a test's own in the shared world: a namespace, databases, the order and inventory services as processes, the
 * flow, and as many controllers as the test starts. It dies with the test's process.
 *
 * Callers are not checked here unless asked for: what tokens do is shown by tests of their own.
 */
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { grantAccess, type Access } from '../../local/access.ts';
import { startController, type RunningController } from '../../local/controllers.ts';
import { connect, type ApiServer } from '../../local/control-plane/api.ts';
import { waitFor } from '../../local/deadline.ts';
import { applyFlows } from '../../local/flows.ts';
import { freePort } from '../../local/ports.ts';
import { openHousehold, type Household } from '../../local/processes.ts';
import { SERVICES, startService, type RunningService, type ServiceName } from '../../local/services.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { freshDatabase, freshNamespace, world, type World } from './world.ts';

const GROUP_PATH = '/apis/ordertx.dev/v1alpha1';
const FINAL_MS = 60_000;

export interface ShopOptions {
  /** Another control plane than the world's, for tests that stop or restart it. */
  readonly cluster?: Pick<World, 'apiServerUrl' | 'token' | 'certificate' | 'kubectl' | 'kubeconfig' | 'issuer'>;
  /** Where controllers and the order service reach the API server instead: a proxy's http:// URL. */
  readonly apiServerThrough?: string;
  readonly serviceEnv?: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>>;
}

export interface ControllerChoice {
  readonly name?: string;
  /** Default: the controller's own account on the real API server. */
  readonly kubeconfig?: string;
  readonly allowEndpoints?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Line {
  readonly skuId: string;
  readonly quantity: number;
  readonly unitPriceCents: number;
}

export interface OrderAnswer {
  readonly status: number;
  readonly body: {
    readonly orderId: string;
    readonly transaction: string;
    readonly status: string;
    readonly detail?: string;
  };
}

export class Shop {
  readonly namespace: string;
  readonly household: Household;
  readonly admin: ApiServer;
  readonly access: Access;
  readonly services: Readonly<Record<ServiceName, RunningService>>;
  readonly #drops: readonly (() => Promise<void>)[];
  #controllers = 0;

  constructor(parts: Pick<Shop, 'namespace' | 'household' | 'admin' | 'access' | 'services'>, drops: Shop['drops']) {
    this.namespace = parts.namespace;
    this.household = parts.household;
    this.admin = parts.admin;
    this.access = parts.access;
    this.services = parts.services;
    this.#drops = drops;
  }

  get drops(): readonly (() => Promise<void>)[] {
    return this.#drops;
  }

  /** Of each participant, without a slash at the end. */
  get origins(): Readonly<Record<string, string>> {
    return Object.fromEntries(Object.entries(this.services).map(([name, { url }]) => [name, url]));
  }

  async startController(choice: ControllerChoice = {}): Promise<RunningController> {
    this.#controllers += 1;
    return startController(this.household, {
      name: choice.name ?? `controller-${this.#controllers}`,
      port: await freePort(),
      kubeconfig: choice.kubeconfig ?? this.access.controllerKubeconfig,
      redisUrl: world().redisUrl,
      namespaces: [this.namespace],
      allowEndpoints: choice.allowEndpoints ?? Object.values(this.origins),
      env: { ORDERTX_LEADER_ELECTION: 'off', ...choice.env },
    });
  }

  async stock(skuId: string, stocked: number): Promise<void> {
    const answer = await fetch(`${this.services.inventory.url}/stock/${skuId}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ stocked }),
    });
    if (!answer.ok) throw new Error(`PUT /stock/${skuId} was answered ${answer.status}: ${await answer.text()}`);
  }

  async stockOf(skuId: string): Promise<{ stocked: number; sellable: number; frozen: number; sold: number }> {
    const answer = await fetch(`${this.services.inventory.url}/stock/${skuId}`);
    return (await answer.json()) as { stocked: number; sellable: number; frozen: number; sold: number };
  }

  /** @param waitSeconds `Prefer: wait`; without it the answer is 202 at once */
  async order(lines: readonly Line[], waitSeconds?: number, key: string = randomUUID()): Promise<OrderAnswer> {
    const answer = await fetch(`${this.services.order.url}/orders`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': key,
        ...(waitSeconds === undefined ? {} : { prefer: `wait=${waitSeconds}` }),
      },
      body: JSON.stringify({ userId: 'u1', lines }),
    });
    return { status: answer.status, body: (await answer.json()) as OrderAnswer['body'] };
  }

  async orderStatus(orderId: string): Promise<string> {
    const answer = await fetch(`${this.services.order.url}/orders/${orderId}`);
    return ((await answer.json()) as { status: string }).status;
  }

  async transaction(name: string): Promise<OrderTransaction | undefined> {
    const answer = await this.admin.request('GET', this.pathOf('ordertransactions', name));
    return answer.status === 200 ? (answer.body as OrderTransaction) : undefined;
  }

  /** Waits until the transaction's stored copy is as asked for. */
  async transactionWhen(
    name: string,
    what: string,
    is: (transaction: OrderTransaction) => boolean,
    deadlineMs = FINAL_MS,
  ): Promise<OrderTransaction> {
    let last: OrderTransaction | undefined;
    return waitFor(
      async () => {
        last = await this.transaction(name);
        return last && is(last) ? last : undefined;
      },
      { what: `${name} ${what}`, deadlineMs },
    ).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; its status is ${JSON.stringify(last?.status)}`, { cause: error });
    });
  }

  async final(name: string, deadlineMs?: number): Promise<OrderTransaction> {
    return this.transactionWhen(name, 'to be final', ({ status }) => status?.finishedAt !== undefined, deadlineMs);
  }

  /** A person's change of a transaction: annotations, suspend, cancelRequested, resolutions. */
  async patch(name: string, change: object): Promise<number> {
    return (await this.admin.request('PATCH', this.pathOf('ordertransactions', name), change)).status;
  }

  async applyFlow(origins: Readonly<Record<string, string>> = this.origins): Promise<void> {
    await applyFlows({ admin: this.admin }, this.namespace, origins);
  }

  async flow(name = 'create-order'): Promise<TransactionFlow | undefined> {
    const answer = await this.admin.request('GET', this.pathOf('transactionflows', name));
    return answer.status === 200 ? (answer.body as TransactionFlow) : undefined;
  }

  async patchFlow(change: object, name = 'create-order'): Promise<number> {
    return (await this.admin.request('PATCH', this.pathOf('transactionflows', name), change)).status;
  }

  pathOf(plural: string, name = ''): string {
    return `${GROUP_PATH}/namespaces/${this.namespace}/${plural}${name === '' ? '' : `/${name}`}`;
  }

  async close(): Promise<void> {
    await this.household.close();
    await this.admin.close();
    for (const drop of this.#drops) await drop();
  }
}

export async function openShop(prefix: string, options: ShopOptions = {}): Promise<Shop> {
  const cluster = options.cluster ?? world();
  const household = await openHousehold();
  const admin = connect({ url: cluster.apiServerUrl, token: cluster.token, certificate: cluster.certificate });
  const namespace = options.cluster ? 'default' : await freshNamespace(prefix);
  const access = await grantAccess({ ...cluster, url: cluster.apiServerUrl, admin }, namespace, household.folder);
  if (options.apiServerThrough) {
    await redirect(access.controllerKubeconfig, options.apiServerThrough);
    await redirect(access.orderKubeconfig, options.apiServerThrough);
  }
  const drops: (() => Promise<void>)[] = [];
  const services = await Promise.all(
    SERVICES.map(async ({ name, createsTransactions }) => {
      const database = await freshDatabase(`${prefix}-${name}`);
      drops.push(database.drop);
      const env = options.serviceEnv?.[name];
      const service = await startService(household, {
        ...{ name, port: await freePort(), databaseUrl: database.url, redisUrl: world().redisUrl },
        namespaces: [namespace],
        callers: { kind: 'off' },
        ...(createsTransactions && { kubeconfig: access.orderKubeconfig }),
        ...(env && { env }),
      });
      return [name, service] as const;
    }),
  );
  const byName = Object.fromEntries(services) as Record<ServiceName, RunningService>;
  const shop = new Shop({ namespace, household, admin, access, services: byName }, drops);
  await shop.applyFlow();
  return shop;
}

async function redirect(kubeconfig: string, server: string): Promise<void> {
  const config = JSON.parse(await readFile(kubeconfig, 'utf8')) as { clusters: { cluster: object }[] };
  config.clusters = config.clusters.map((entry) => ({ ...entry, cluster: { server, 'insecure-skip-tls-verify': true } }));
  await writeFile(kubeconfig, JSON.stringify(config));
}
