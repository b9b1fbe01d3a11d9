/**
 * What do transactions cost that cannot go on? `npm run drill:unfinished [-- --count 10000 --seconds 30 --lanes 32]`
 *
 * A controller from its image's bundle, in a cluster with so many unfinished transactions: a third suspended by people, a third behind a
 * participant that says "later" (425) until a deadline of tomorrow, a third behind one that is down (503). While they are stored a new
 * order is timed after each 5,000. Once all is told, the controller's memory is taken, what it does and costs in a while without news,
 * and what one new order costs beside them. Then it is killed (kill -9), an order comes, and the time is taken from its start to the
 * order's end.
 *
 * Fails where 10,000 take more than 250 MB, or a restarted controller needs more than 5 s for the order; in proportion for others; also
 * where a new order has not ended after a minute.
 */
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { answerState, startParticipant } from '../../controller/src/participants/loopback-participant.ts';
import { FLOWS, pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import { HttpTransport } from '../../controller/src/kubernetes/transport.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { grantAccess } from '../../local/access.ts';
import { startController, type RunningController } from '../../local/controllers.ts';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { freePort } from '../../local/ports.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { say } from '../../local/progress.ts';
import { startRedis } from '../../local/redis.ts';
import { bundleProcess } from '../../scripts/images/bundle.ts';
import { PROCESSES } from '../../scripts/images/processes.ts';
import { runCommand } from '../bench/command.ts';
import { cpuMsOf } from '../bench/cpu-time.ts';
import { readNumbers } from '../bench/number-options.ts';
import { adminKubeConfig, expectOk } from '../world/api-client.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { sumOf } from '../world/prometheus-text.ts';
import { heapAfterGc } from './heap-after-gc.ts';

const NAMESPACE = 'default';
const MEBIBYTE = 1024 ** 2;
/** 250 MB, at 10,000. */
const MEMORY_MIB_MAX = 250e6 / MEBIBYTE;
const RESTART_MS_MAX = 5_000;
const PER = 10_000;
/** A transaction that is behind a participant is told to be stuck after 60 s: news that are not the rest's. */
const TOLD_MS = 70_000;
const SETTLED_MS = 30 * 60_000;
const ORDER_MS = 60_000;
/** What is collected by then is not counted. */
const AFTER_RESTART_MS = 5_000;
const DAY_SECONDS = 86_400;
const STORED_TOLD = 5_000;

const KINDS = ['suspended', 'later', 'down'] as const;
/** Nobody is told to be Stuck who is suspended. */
const TROUBLED_KINDS = 2;
type Kind = (typeof KINDS)[number] | 'live';

interface Numbers {
  readonly count: number;
  readonly seconds: number;
  readonly lanes: number;
}

/** Says yes to everything. */
function answerLive(response: ServerResponse, path: string): void {
  const state = path.endsWith('/try') ? 'Tried' : path.endsWith('/confirm') ? 'Confirmed' : 'Cancelled';
  answerState(response, state);
}

async function startParticipants() {
  const live = await startParticipant((response, { path }) => answerLive(response, path));
  const later = await startParticipant((response) => response.writeHead(425).end());
  const down = await startParticipant((response) => response.writeHead(503).end());
  return { live, later, down, all: [live, later, down] };
}

function flowOf(kind: Kind, participants: Awaited<ReturnType<typeof startParticipants>>): object {
  const second = kind === 'later' ? participants.later : kind === 'down' ? participants.down : participants.live;
  const at = (name: string, { origin }: { readonly origin: string }) => ({
    ...{ name, path: `/tcc/${kind}`, endpoint: { url: origin } },
  });
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow', metadata: { name: kind } },
    spec: { timeoutSeconds: DAY_SECONDS, participants: [at('order', participants.live), at('inventory', second)] },
  };
}

function transactionOf(kind: Kind, number: number): object {
  const orderId = `o${String(number)}`;
  const lines = ['tea', 'pot'].map((skuId) => ({
    skuId: `${skuId}-${String(number % 200)}`,
    quantity: 1,
    unitPriceCents: 450,
  }));
  return {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name: `create-${orderId}` } },
    spec: {
      ...{ flow: kind === 'suspended' ? 'live' : kind, orderId, suspend: kind === 'suspended' },
      payload: { orderId, userId: `u${String(number % 1_000)}`, lines, totalCents: 900 },
    },
  };
}

interface Look {
  readonly cpuMs: number;
  readonly apiServerCpuMs: number;
  readonly passes: number;
  readonly requests: number;
  readonly calls: number;
  readonly stuck: number;
  readonly residentMiB: number;
  readonly heapMiB: number;
  readonly externalMiB: number;
}

class Drill {
  readonly #end = onEnd();
  readonly #own: OwnControlPlane;
  readonly #transport: HttpTransport;
  readonly #startController: () => Promise<RunningController>;
  readonly #path = pathOf(TRANSACTIONS, NAMESPACE);

  constructor(own: OwnControlPlane, transport: HttpTransport, start: () => Promise<RunningController>) {
    this.#own = own;
    this.#transport = transport;
    this.#startController = start;
  }

  async run({ count, seconds, lanes }: Numbers, inspectorPort: number): Promise<void> {
    const controller = await this.#startController();
    await this.#measure(controller, { count, seconds, lanes }, inspectorPort).catch(async (error: unknown) => {
      // The second one logs where the first did, and has its port.
      say(await controller.part.process.logTail());
      say(await this.#look(controller).then(JSON.stringify, (unseen: unknown) => `nothing is seen: ${String(unseen)}`));
      throw error;
    });
  }

  async #measure(
    controller: RunningController,
    { count, seconds, lanes }: Numbers,
    inspectorPort: number,
  ): Promise<void> {
    await this.#storeAll(count, lanes);
    await this.#until('every transaction to be suspended or Stuck', SETTLED_MS, async () => {
      return (await this.#look(controller)).stuck >= Math.floor((count * TROUBLED_KINDS) / KINDS.length);
    });
    say(`all ${String(count)} are told`);
    await this.#passed(TOLD_MS);
    await this.#rest(controller, seconds);
    await this.#create('live', count + 1);
    say(`a new order beside them ended after ${(await this.#untilEnded(count + 1)).toFixed(0)} ms`);
    const { residentMiB, heapMiB, externalMiB } = await this.#look(controller);
    const held = await heapAfterGc(controller.part.process.pid, inspectorPort);
    say(
      `memory: ${residentMiB.toFixed(0)} MiB resident, of it ${heapMiB.toFixed(0)} heap and ${externalMiB.toFixed(0)} buffers; ` +
        `once collected ${held.residentMiB.toFixed(0)} MiB and ${held.heapMiB.toFixed(0)} MiB of objects`,
    );

    controller.part.process.kill('SIGKILL');
    await controller.part.process.exited;
    await this.#create('live', count + 2);
    const [again, restartMs] = await Promise.all([this.#startController(), this.#untilEnded(count + 2)]);
    say(`killed and started: the next order ended after ${restartMs.toFixed(0)} ms`);
    await this.#passed(AFTER_RESTART_MS);
    say(`memory after that: ${(await this.#look(again)).residentMiB.toFixed(0)} MiB resident`);
    const share = Math.max(1, count / PER);
    if (residentMiB > MEMORY_MIB_MAX * share) throw new Error(`it may take ${(MEMORY_MIB_MAX * share).toFixed(0)} MiB`);
    if (restartMs > RESTART_MS_MAX * share) throw new Error(`it may take ${String(RESTART_MS_MAX * share)} ms`);
  }

  async #storeAll(count: number, lanes: number): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < count && !this.#end.signal.aborted) {
        const number = (next += 1);
        await this.#create(KINDS[number % KINDS.length] ?? 'live', number);
        if (number % STORED_TOLD !== 0) continue;
        say(`${String(number)} are stored`);
        await this.#orderMeanwhile(count + number);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  /** While the others are stored, taken up and told, which is all that the API server can do. */
  async #orderMeanwhile(number: number): Promise<void> {
    await this.#create('live', number);
    say(`a new order meanwhile ended after ${(await this.#untilEnded(number)).toFixed(0)} ms`);
  }

  async #rest(controller: RunningController, seconds: number): Promise<void> {
    const before = await this.#look(controller);
    await this.#passed(seconds * 1_000);
    const after = await this.#look(controller);
    const perSecond = (name: keyof Look): string => ((after[name] - before[name]) / seconds).toFixed(1);
    say(
      `at rest, a second: ${perSecond('cpuMs')} ms of CPU (API server ${perSecond('apiServerCpuMs')}), ${perSecond('passes')} passes, ` +
        `${perSecond('requests')} requests to the API server, ${perSecond('calls')} calls`,
    );
  }

  #create(kind: Kind, number: number): Promise<OrderTransaction> {
    return expectOk(this.#transport, { method: 'POST', path: this.#path, body: transactionOf(kind, number) });
  }

  /** Resolves with the milliseconds from now to the end of this order. */
  async #untilEnded(number: number): Promise<number> {
    const begunMs = performance.now();
    const path = `${this.#path}/create-o${String(number)}`;
    await this.#until('the new order to end', ORDER_MS, async () => {
      const { status } = await expectOk<OrderTransaction>(this.#transport, { method: 'GET', path });
      return status?.finishedAt !== undefined;
    });
    return performance.now() - begunMs;
  }

  /** What is measured is time that passes. */
  async #passed(milliseconds: number): Promise<void> {
    const untilMs = performance.now() + milliseconds;
    await this.#until('the time to pass', 2 * milliseconds, async () => performance.now() > untilMs);
  }

  async #until(what: string, deadlineMs: number, is: () => Promise<boolean>): Promise<void> {
    const everyMs = Math.min(1_000, deadlineMs / 2_000);
    await waitFor(is, { what, deadlineMs, everyMs, signal: this.#end.signal });
  }

  async #look({ url, part }: RunningController): Promise<Look> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return {
      cpuMs: cpuMsOf(part.process.pid),
      apiServerCpuMs: cpuMsOf(this.#own.plane.apiserver.process.pid),
      passes: sumOf(text, 'controller_runtime_reconcile_total'),
      requests: sumOf(text, 'rest_client_requests_total'),
      calls: sumOf(text, 'ordertx_participant_calls_total'),
      stuck: sumOf(text, 'ordertx_transactions_stuck'),
      residentMiB: sumOf(text, 'process_resident_memory_bytes') / MEBIBYTE,
      heapMiB: sumOf(text, 'nodejs_heap_size_total_bytes') / MEBIBYTE,
      externalMiB: sumOf(text, 'nodejs_external_memory_bytes') / MEBIBYTE,
    };
  }
}

/** As in its image: type stripping takes memory, too, which nobody has who installs it. */
async function bundleOfController(folder: string): Promise<string> {
  const controller = PROCESSES.find(({ name }) => name === 'controller');
  if (controller === undefined) throw new Error('there is no image of a controller');
  return bundleProcess(controller, { base: 'no image', sourceDateEpoch: 0, folder });
}

async function drill(): Promise<void> {
  const numbers = readNumbers({ count: 10_000, seconds: 30, lanes: 32 });
  const own = await openControlPlane();
  const group = await openProcessGroup();
  const participants = await startParticipants();
  const kubeConfig = adminKubeConfig(undefined, own.cluster.kubeconfig);
  const transport = new HttpTransport({ kubeConfig, userAgent: 'drill' });
  try {
    const redis = await startRedis(group, { url: '' });
    const access = await grantAccess(own.plane, NAMESPACE, group.folder);
    for (const kind of ['live', 'later', 'down'] as const)
      await expectOk(transport, { method: 'POST', path: pathOf(FLOWS, NAMESPACE), body: flowOf(kind, participants) });
    const bundle = await bundleOfController(join(group.folder, 'bundles'));
    const [port, inspectorPort] = [await freePort(), await freePort()];
    const start = (): Promise<RunningController> =>
      startController(group, {
        ...{ name: 'controller', port, kubeconfig: access.controllerKubeconfig, redisUrl: redis.url },
        ...{ namespaces: [NAMESPACE], allowEndpoints: participants.all.map(({ origin }) => origin), bundle },
        env: { NODE_ENV: 'production', NODE_OPTIONS: `--inspect-port=127.0.0.1:${String(inspectorPort)}` },
      });
    await new Drill(own, transport, start).run(numbers, inspectorPort);
  } finally {
    await transport.close();
    await group.close();
    await own.close();
    await Promise.all(participants.all.map((participant) => participant.stop()));
  }
}

await runCommand(drill);
