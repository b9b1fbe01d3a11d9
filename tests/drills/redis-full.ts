/**
 * Does an hour's backlog fit, and what becomes of a Redis that is full? `npm run drill:redis-full [-- --orders 10000 --more 500 --lanes 40]`
 *
 * The whole system, and dispatch and wms are away. So many orders are placed, whose messages (two each) lie on their streams in a
 * Redis that has room for exactly what docs/reference/messages.md says that they take. Then there is room for nothing more, and more
 * orders come; then the consumers are back and acknowledge in a full Redis. Prints what a message takes. Fails when the messages
 * need more than the page says, when a full Redis is not told of, or when any message is lost.
 */
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { openProcessGroup } from '../../local/process-group.ts';
import { say } from '../../local/progress.ts';
import { startRedis } from '../../local/redis.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import { runCommand } from '../bench/command.ts';
import { openCustomers, type Customers } from '../bench/orders.ts';
import { violationsOf } from '../invariants/of-stack.ts';
import { readNumbers } from '../bench/number-options.ts';
import { sumOf } from '../world/prometheus-text.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '.ordertx', 'drill');
/** What the page says of an order with two lines: its text and what Redis adds. */
const MESSAGE_BYTES_MAX = 850;
const CONSUMERS = ['dispatch', 'wms'] as const;
const STREAMS = CONSUMERS.map((name) => `ordertx:messages:${name}`);
/** Of an order that is placed and paid, and of an hour as the page reckons it. */
const [MESSAGES_PER_ORDER, ORDERS_PER_SECOND, HOUR_SECONDS] = [6, 50, 3_600];
/** Redis's own, beside the messages: connections, scripts, receipts. */
const SPARE_BYTES = 2 * 1024 * 1024;
const LIE_MS_MAX = 60_000;
const TELL_MS_MAX = 30_000;
const DRAIN_MS_MAX = 15 * 60_000;

interface Numbers {
  readonly orders: number;
  readonly more: number;
  readonly lanes: number;
}

async function place(customers: Customers, orders: number, lanes: number, signal: AbortSignal): Promise<void> {
  let placed = 0;
  const lane = async (): Promise<void> => {
    while (placed < orders && !signal.aborted) {
      placed += 1;
      if (placed % 1_000 === 0) say(`${placed} orders`);
      await customers.order();
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

const usedBytes = async (redis: Redis): Promise<number> =>
  Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);

async function lying(redis: Redis): Promise<number> {
  const lengths = await Promise.all(STREAMS.map((stream) => redis.xlen(stream)));
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** Whether a controller says that it cannot publish. */
async function cannotPublish({ business }: Stack): Promise<boolean> {
  const pages = await Promise.all(business.controllers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
  return pages.some((page) => sumOf(page, 'ordertx_broker_trouble', { doing: 'publish' }) > 0);
}

class Drill {
  readonly #numbers: Numbers;
  readonly #stack: Stack;
  readonly #redis: Redis;
  readonly #customers: Customers;
  readonly #signal: AbortSignal;

  constructor(numbers: Numbers, stack: Stack, redis: Redis, customers: Customers, signal: AbortSignal) {
    this.#numbers = numbers;
    this.#stack = stack;
    this.#redis = redis;
    this.#customers = customers;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    await this.#customers.order();
    await this.#customers.ended(1);
    for (const name of CONSUMERS) {
      const { process } = this.#stack.business.services[name].part;
      process.kill('SIGKILL');
      await process.exited;
    }
    await this.#fill();
    await this.#overfill();
    await this.#drain();
  }

  async #fill(): Promise<void> {
    const { orders, lanes } = this.#numbers;
    const messages = CONSUMERS.length * orders;
    const before = await usedBytes(this.#redis);
    await this.#redis.config('SET', 'maxmemory-policy', 'noeviction');
    await this.#redis.config('SET', 'maxmemory', String(before + messages * MESSAGE_BYTES_MAX + SPARE_BYTES));
    await place(this.#customers, orders, lanes, this.#signal);
    await waitFor(async () => (await lying(this.#redis)) >= messages, {
      ...{ what: `${messages} messages to lie on their streams`, deadlineMs: LIE_MS_MAX, everyMs: 250 },
      signal: this.#signal,
    });
    const bytes = ((await usedBytes(this.#redis)) - before) / messages;
    const hour = HOUR_SECONDS * ORDERS_PER_SECOND * MESSAGES_PER_ORDER;
    say(
      `${messages} messages take ${bytes.toFixed(0)} bytes each; an hour of ${ORDERS_PER_SECOND} orders a second, ` +
        `${MESSAGES_PER_ORDER} messages each, is ${hour} messages, ${((hour * bytes) / 1024 ** 3).toFixed(2)} GiB`,
    );
    if (bytes > MESSAGE_BYTES_MAX) throw new Error(`a message may take ${MESSAGE_BYTES_MAX} bytes`);
    if (await cannotPublish(this.#stack)) throw new Error('there was not room for all of them');
  }

  async #overfill(): Promise<void> {
    const { orders, more, lanes } = this.#numbers;
    await this.#redis.config('SET', 'maxmemory', String(await usedBytes(this.#redis)));
    await place(this.#customers, more, lanes, this.#signal);
    await waitFor(() => cannotPublish(this.#stack), {
      what: 'the controller to say that it cannot publish',
      deadlineMs: TELL_MS_MAX,
    });
    const refused = CONSUMERS.length * (orders + more) - (await lying(this.#redis));
    say(`full: ${more} more orders were accepted, and ${refused} of their messages wait`);
    if (refused <= 0) throw new Error('nothing was refused: it was not full');
  }

  async #drain(): Promise<void> {
    const { orders, more } = this.#numbers;
    const backMs = performance.now();
    await Promise.all(CONSUMERS.map((name) => this.#stack.business.services[name].part.restart()));
    const all = 1 + orders + more;
    await waitFor(async () => (await this.#customers.endedSoFar()) >= all, {
      ...{ signal: this.#signal, what: 'every transaction to be ended', deadlineMs: DRAIN_MS_MAX, everyMs: 250 },
    });
    const seconds = (performance.now() - backMs) / 1_000;
    say(`all ended ${seconds.toFixed(1)} s after the consumers were back in the full Redis`);
    if (await cannotPublish(this.#stack)) throw new Error('there is room again, and the controller does not see it');
    if ((await lying(this.#redis)) > 0) throw new Error('messages are left on their streams');
    const violations = await violationsOf(this.#stack);
    say(`all data ${violations.length === 0 ? 'agree' : JSON.stringify(violations.slice(0, 10))}`);
    if (violations.length > 0) throw new Error(`${violations.length} invariants are violated`);
  }
}

async function drill(): Promise<void> {
  const numbers = readNumbers({ orders: 10_000, more: 500, lanes: 40 });
  const { signal } = onEnd();
  const group = await openProcessGroup();
  const server = await startRedis(group, { url: '' });
  if (server.kind !== 'own') throw new Error('a Redis of its own was asked for');
  const redis = new Redis(server.url);
  const options = { folder: FOLDER, controllers: 1, restart: false, redis: { url: server.url } };
  const stack = await startStack(options, signal);
  const customers = await openCustomers(stack);
  try {
    await new Drill(numbers, stack, redis, customers, signal).run();
    signal.throwIfAborted();
  } finally {
    redis.disconnect();
    await customers.close();
    await stack.close();
    await group.close();
  }
}

await runCommand(drill);
