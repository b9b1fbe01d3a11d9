/**
 * A shop of a test's own in the shared world: a namespace, databases, a Redis, services as processes, the flows, and as many
 * controllers as the test starts. It dies with the test's process.
 *
 * Where nothing else is asked for, its services are order and inventory, and its flows lack the messages that nobody there hears.
 * Callers are not checked here unless asked for: what tokens do is shown by a test of its own. Most tests order as a customer
 * does; where one needs a flow of its own it begins the transaction itself, as the order service would.
 */
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { grantAccess, type Access } from '../../local/access.ts';
import { startController, type RunningController } from '../../local/controllers.ts';
import { kubectl } from '../../local/cluster.ts';
import { connect, type ApiAnswer, type ApiServer } from '../../local/control-plane/api.ts';
import { waitFor } from '../../local/deadline.ts';
import { applyFlows } from '../../local/flows.ts';
import { freePort } from '../../local/ports.ts';
import type { Part } from '../../local/parts.ts';
import { createDatabase, startPostgres } from '../../local/postgres.ts';
import { openProcessGroup, type ProcessGroup } from '../../local/process-group.ts';
import { startRedis } from '../../local/redis.ts';
import {
  SERVICES,
  startService,
  type ParticipantName,
  type RunningService,
  type ServiceName,
} from '../../local/services.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { checkInvariants, type Violation } from '../invariants/check-invariants.ts';
import { freshDatabase, freshNamespace, freshRedis, world, type World } from './world.ts';

const GROUP_PATH = '/apis/ordertx.dev/v1alpha1';
const FINAL_MS = 60_000;

export interface ShopOptions {
  /** Another control plane than the world's, for tests that stop or restart it. */
  readonly cluster?: Pick<World, 'apiServerUrl' | 'token' | 'certificate' | 'kubectl' | 'kubeconfig' | 'issuer'>;
  /** Where controllers and the order service reach the API server instead: a proxy's http:// URL. */
  readonly apiServerThrough?: string;
  readonly serviceEnv?: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>>;
  /** Default: order and inventory. Those are always there. */
  readonly services?: readonly ServiceName[];
  /** The folder of each service's image's content: these are run instead of the sources. */
  readonly bundles?: (service: ServiceName) => string;
  /** Whether Redis and Postgres are servers of its own, with all their durability, so that the test may kill and restart them. */
  readonly ownServers?: boolean;
  /** Where else its data lie; `serviceEnv` says as whom its services go there. */
  readonly stores?: Stores;
  /** Path of a key set: callers are checked against it, and controllers send tokens. Without one they are not. */
  readonly keySetFile?: string;
  /** Whether accounts and rights of controllers and order service outlive the shop's namespace. Default: they go with it. */
  readonly accountsElsewhere?: boolean;
}

export interface ControllerChoice {
  readonly name?: string;
  /** Default: the controller's own account on the real API server. */
  readonly kubeconfig?: string;
  readonly allowEndpoints?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The folder of another release. */
  readonly release?: string;
  /** The folder of what an image holds. */
  readonly bundle?: string;
  /** See startController: for one that is not to get ready. */
  readonly ready?: (url: string) => Promise<boolean>;
}

/** A flow for a test: the business's own participants and paths, in a hurry. */
export interface FlowChoice {
  /** Where each participant is called; who is not named takes no part. Default: order and inventory. */
  readonly origins?: Readonly<Record<string, string>>;
  /** How long one call may take. */
  readonly callTimeoutSeconds?: number;
  /** How many calls run at each participant at once. */
  readonly maxConcurrency?: number;
  readonly timeoutSeconds?: number;
  readonly stuckAfterSeconds?: number;
  readonly retry?: TransactionFlow['spec']['retry'];
  /** Default: none. A flow that is given them later may be worked by as it was for a moment: flows are watched apart. */
  readonly messages?: TransactionFlow['spec']['messages'];
}

/** What fails is asked again soon, so that a test sees several attempts. */
const QUICK_RETRY = { initialDelaySeconds: 0.05, maxDelaySeconds: 0.4, factor: 2 };
/** What fails is not asked again within any test's patience: whatever happens next is not by back-off. */
export const SLOW_RETRY = { initialDelaySeconds: 60, maxDelaySeconds: 3600, factor: 2 };

export interface Begun {
  /** The transaction's. */
  readonly name: string;
  readonly orderId: string;
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

/** Order and inventory; the others where the shop has them. */
export type ShopServices = Readonly<
  Record<ParticipantName, RunningService> & Partial<Record<ServiceName, RunningService>>
>;

interface ShopParts extends Pick<
  Shop,
  'namespace' | 'group' | 'admin' | 'access' | 'services' | 'redisUrl' | 'ownServers'
> {
  readonly cluster: Pick<World, 'kubectl' | 'kubeconfig'>;
  readonly checksCallers: boolean;
  readonly drops: readonly (() => Promise<void>)[];
}

export class Shop {
  readonly namespace: string;
  readonly group: ProcessGroup;
  readonly admin: ApiServer;
  readonly access: Access;
  readonly services: ShopServices;
  readonly redisUrl: string;
  /** Only with the option `ownServers`. */
  readonly ownServers: { readonly redis: Part; readonly postgres: Part } | undefined;
  readonly #parts: ShopParts;
  #controllers = 0;

  constructor(parts: ShopParts) {
    this.namespace = parts.namespace;
    this.group = parts.group;
    this.admin = parts.admin;
    this.access = parts.access;
    this.services = parts.services;
    this.redisUrl = parts.redisUrl;
    this.ownServers = parts.ownServers;
    this.#parts = parts;
  }

  /** Of each participant, without a slash at the end. */
  get origins(): Readonly<Record<string, string>> {
    return Object.fromEntries(Object.entries(this.services).map(([name, { url }]) => [name, url]));
  }

  async startController(choice: ControllerChoice = {}): Promise<RunningController> {
    this.#controllers += 1;
    return startController(this.group, {
      name: choice.name ?? `controller-${this.#controllers}`,
      port: await freePort(),
      kubeconfig: choice.kubeconfig ?? this.access.controllerKubeconfig,
      redisUrl: this.redisUrl,
      namespaces: [this.namespace],
      allowEndpoints: choice.allowEndpoints ?? Object.values(this.origins),
      ...(this.#parts.checksCallers && { serviceAccount: this.access.controllerAccount }),
      env: { ORDERTX_LEADER_ELECTION: 'off', ...choice.env },
      ...(choice.release !== undefined && { release: choice.release }),
      ...(choice.bundle !== undefined && { bundle: choice.bundle }),
      ...(choice.ready !== undefined && { ready: choice.ready }),
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

  /** Creates a transaction of any flow, as the order service creates those of create-order; it has no customer. */
  async begin(flow: string, lines: readonly Line[], more: object = {}): Promise<Begun> {
    const orderId = `o${randomUUID()}`;
    const name = `create-${orderId}`;
    const totalCents = lines.reduce((sum, line) => sum + line.quantity * line.unitPriceCents, 0);
    const answer = await this.admin.request('POST', this.pathOf('ordertransactions'), {
      apiVersion: 'ordertx.dev/v1alpha1',
      kind: 'OrderTransaction',
      metadata: { name },
      spec: { flow, orderId, payload: { orderId, userId: 'u1', lines, totalCents, ...more } },
    });
    expectStatus(answer, 201, `creating ${name}`);
    return { name, orderId };
  }

  async orderStatus(orderId: string): Promise<string> {
    const answer = await fetch(`${this.services.order.url}/orders/${orderId}`);
    return ((await answer.json()) as { status: string }).status;
  }

  async transaction(name: string): Promise<OrderTransaction | undefined> {
    const answer = await this.admin.request('GET', this.pathOf('ordertransactions', name));
    return answer.status === 200 ? (answer.body as OrderTransaction) : undefined;
  }

  async transactions(): Promise<readonly OrderTransaction[]> {
    const answer = await this.admin.request('GET', this.pathOf('ordertransactions'));
    expectStatus(answer, 200, 'listing transactions');
    return (answer.body as { items: OrderTransaction[] }).items;
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

  /** Creates a flow or changes the one there is; returns once the API server has it. */
  async putFlow(name: string, choice: FlowChoice = {}): Promise<void> {
    const { order, inventory } = this.services;
    const {
      origins = { order: order.url, inventory: inventory.url },
      callTimeoutSeconds: timeoutSeconds = 3,
      maxConcurrency = 64,
      ...times
    } = choice;
    const participants = Object.entries(origins).map(([participant, url]) => {
      return { name: participant, endpoint: { url }, path: '/tcc/create-order', timeoutSeconds, maxConcurrency };
    });
    const spec = { participants, retry: QUICK_RETRY, ...times };
    const flow = { apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow', metadata: { name }, spec };
    let answer = await this.admin.request('POST', this.pathOf('transactionflows'), flow);
    if (answer.status === 409)
      answer = await this.admin.request('PATCH', this.pathOf('transactionflows', name), { spec });
    if (answer.status !== 201) expectStatus(answer, 200, `putting the flow ${name}`);
  }

  /** kubectl in the shop's namespace, as the administrator: what it printed; rejects with what it complained of. */
  async kubectl(...args: readonly string[]): Promise<string> {
    return kubectl(this.#parts.cluster, '--namespace', this.namespace, ...args);
  }

  /** What is wrong with the data of all services and the cluster. Ask when nothing is under way. */
  async violations(): Promise<readonly Violation[]> {
    const { order, inventory } = this.services;
    const databases = {
      ...Object.fromEntries(Object.entries(this.services).map(([name, { databaseUrl }]) => [name, databaseUrl])),
      ...{ order: order.databaseUrl, inventory: inventory.databaseUrl },
    };
    return checkInvariants({ databases, transactions: await this.transactions() });
  }

  pathOf(plural: string, name = ''): string {
    return `${GROUP_PATH}/namespaces/${this.namespace}/${plural}${name === '' ? '' : `/${name}`}`;
  }

  async close(): Promise<void> {
    await this.group.close();
    await this.admin.close();
    for (const drop of this.#parts.drops) await drop();
  }
}

export async function openShop(prefix: string, options: ShopOptions = {}): Promise<Shop> {
  const cluster = options.cluster ?? world();
  const group = await openProcessGroup();
  const admin = connect({ url: cluster.apiServerUrl, token: cluster.token, certificate: cluster.certificate });
  const namespace = options.cluster ? 'default' : await freshNamespace(prefix);
  const accounts = options.accountsElsewhere === true ? await freshNamespace(`${prefix}-accounts`) : namespace;
  const access = await grantAccess({ ...cluster, url: cluster.apiServerUrl, admin }, namespace, group.folder, accounts);
  if (options.apiServerThrough) {
    await redirect(access.controllerKubeconfig, options.apiServerThrough);
    await redirect(access.orderKubeconfig, options.apiServerThrough);
  }
  const stores =
    options.stores ?? (options.ownServers === true ? await ownStores(group, prefix) : await sharedStores(prefix));
  const drops: (() => Promise<void>)[] = [];
  const names = new Set<ServiceName>(['order', 'inventory', ...(options.services ?? [])]);
  const ports = await Promise.all(SERVICES.map(async ({ name }) => [name, await freePort()] as const));
  const origins = Object.fromEntries(ports.map(([name, port]) => [name, `http://127.0.0.1:${port}`]));
  const services = await Promise.all(
    ports
      .filter(([name]) => names.has(name))
      .map(async ([name, port]) => {
        const database = await stores.database(name);
        drops.push(database.drop);
        const service = await startService(group, {
          ...{ name, port, databaseUrl: database.url, redisUrl: stores.redisUrl },
          origins,
          namespaces: [namespace],
          callers: { kind: 'off' },
          ...(name === 'order' && { kubeconfig: access.orderKubeconfig }),
          ...(options.bundles && { bundle: options.bundles(name) }),
          env: {
            ...(options.keySetFile !== undefined && checkedBy(options.keySetFile, port, cluster.issuer, access)),
            ...options.serviceEnv?.[name],
          },
        });
        return [name, service] as const;
      }),
  );
  const shop = new Shop({
    ...{ namespace, group, admin, access, cluster, drops },
    services: Object.fromEntries(services) as unknown as ShopServices,
    ...{ redisUrl: stores.redisUrl, ownServers: stores.servers },
    checksCallers: options.keySetFile !== undefined,
  });
  await shop.applyFlow();
  return shop;
}

/** Where a shop's data lie. */
export interface Stores {
  readonly redisUrl: string;
  readonly servers: Shop['ownServers'];
  readonly database: (service: ServiceName) => Promise<{ readonly url: string; readonly drop: () => Promise<void> }>;
}

async function sharedStores(prefix: string): Promise<Stores> {
  const database = (service: ServiceName) => freshDatabase(`${prefix}-${service}`);
  return { redisUrl: await freshRedis(), servers: undefined, database };
}

async function ownStores(group: ProcessGroup, prefix: string): Promise<Stores> {
  const [redis, postgres] = await Promise.all([startRedis(group, { url: '' }), startPostgres(group)]);
  if (redis.kind !== 'own') throw new Error('a Redis of its own was asked for');
  return {
    redisUrl: redis.url,
    servers: { redis: redis.part, postgres: postgres.part },
    database: async (service) => ({
      url: await createDatabase(postgres.url, `${prefix}-${service}`.replaceAll('-', '_')),
      drop: async () => undefined,
    }),
  };
}

function checkedBy(keySetFile: string, port: number, issuer: string, access: Access): Record<string, string> {
  return {
    ORDERTX_AUTH: 'on',
    ORDERTX_AUDIENCE: `ordertx/127.0.0.1:${port}`,
    ORDERTX_TOKEN_ISSUER: issuer,
    ORDERTX_JWKS_FILE: keySetFile,
    ORDERTX_CONTROLLER_SUBJECT: access.controllerSubject,
  };
}

function expectStatus({ status, body }: ApiAnswer, expected: number, doing: string): void {
  if (status !== expected) throw new Error(`${doing} was answered ${status}: ${JSON.stringify(body)}`);
}

async function redirect(kubeconfig: string, server: string): Promise<void> {
  const config = JSON.parse(await readFile(kubeconfig, 'utf8')) as { clusters: { cluster: object }[] };
  config.clusters = config.clusters.map((entry) => ({
    ...entry,
    cluster: { server, 'insecure-skip-tls-verify': true },
  }));
  await writeFile(kubeconfig, JSON.stringify(config));
}
