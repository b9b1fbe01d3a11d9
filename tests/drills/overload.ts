/**
 * More orders than the API server takes: `npm run drill:overload [-- --rate 250 --takes 200 --seconds 120 --backlog 5000]`
 *
 * Customers come at a fixed rate, however slowly they are answered, and the API server takes fewer creations than that. The defaults
 * have the proportion of 250 orders a second to 200 creations, a tenth as large, because this is about proportions and two cores carry
 * about 45 orders a second through the whole system. In the middle of it the API server refuses every creation for some seconds, so
 * that hundreds of them are due for another attempt; and unpaid orders have to be closed all the time.
 *
 * It passes when new orders are turned away early and with Retry-After, nobody waits for longer than they asked to, what is due
 * keeps moving, and every order that was accepted has come to its end in the end, with all data in agreement.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { say } from '../../local/progress.ts';
import { runCommand } from '../bench/command.ts';
import { openControlPlane } from '../world/own-control-plane.ts';
import { openShop, type Shop } from '../world/shop.ts';
import { LimitedApiServer, type Created } from './limited-api-server.ts';
import { OverloadCustomers, PREFER_SECONDS, WITHDRAW_SECONDS, type Answers } from './overload-customers.ts';

const QUIET_SECONDS = 20;
const AWAY_SECONDS = 5;
const LOOK_MS = 1_000;
const LINE_EVERY = 10;
const PAYMENT_TIMEOUT_SECONDS = 30;
/** What an answer may take beyond the wait that was asked for. */
const ANSWER_SECONDS_MAX = 5;
/** From when a payment or a close is wanted until it is through, beyond the time that the API server was away. */
const PAY_CLOSE_SECONDS_MAX = 20;
/** What is due has at least a quarter of the places: it waits for four times what a full backlog takes, at most. */
const DUE_PLACES_SHARE = 0.25;
/** Of what is created while the backlog is full: orders in it have waited for long, and are due. The service's own share is a quarter. */
const DUE_SHARE_MIN = 0.1;

interface Numbers {
  readonly rate: number;
  readonly takes: number;
  readonly seconds: number;
  readonly backlog: number;
}

/** One look at the order service's database. */
interface Look {
  readonly backlog: number;
  /** Of the payment or close that has waited the longest; 0 without one. */
  readonly oldestSeconds: number;
}

class Drill {
  readonly #numbers: Numbers;
  readonly #shop: Shop;
  readonly #api: LimitedApiServer;
  readonly #customers: OverloadCustomers;
  readonly #database: pg.Pool;
  readonly #broken: string[] = [];
  #accepted = 0;

  constructor(numbers: Numbers, shop: Shop, api: LimitedApiServer) {
    this.#numbers = numbers;
    this.#shop = shop;
    this.#api = api;
    this.#customers = new OverloadCustomers(shop);
    this.#database = new pg.Pool({ connectionString: shop.services.order.databaseUrl, max: 2 });
    // Its last connections may hear of the server's end before they have ended themselves.
    this.#database.on('error', () => undefined);
  }

  /** Resolves with the rules that were broken. */
  async run(signal: AbortSignal): Promise<readonly string[]> {
    const { rate, takes, seconds } = this.#numbers;
    await this.#customers.stock();
    // Each order leads to two creations sooner or later: its own, and that of its payment or close.
    await this.#phase('room for all', takes / 4, QUIET_SECONDS, signal);
    const overload = await this.#phase('too many', rate, seconds, signal, seconds / 2);
    if (overload.shed === 0) this.#broken.push('nobody was turned away: that was no overload');
    await this.#drained(signal);
    return this.#broken;
  }

  async close(): Promise<void> {
    await this.#customers.close();
    await this.#database.end();
  }

  #rule(holds: boolean, broken: string): void {
    if (!holds) this.#broken.push(broken);
  }

  async #phase(
    name: string,
    perSecond: number,
    seconds: number,
    signal: AbortSignal,
    awayAt = Infinity,
  ): Promise<Answers> {
    say(`${name}: ${perSecond} orders a second for ${seconds} s`);
    const before = this.#api.created;
    const watch = new AbortController();
    const watching = this.#watch(watch.signal, awayAt);
    const answers = await this.#customers.come(perSecond, seconds, signal);
    const created = since(before, this.#api.created);
    await this.#customers.allAnswered();
    watch.abort();
    const looks = await watching;
    this.#report(name, answers, created, looks, awayAt);
    this.#accepted += answers.created + answers.accepted;
    return answers;
  }

  /** A line every ten seconds. */
  async #watch(signal: AbortSignal, awayAt: number): Promise<readonly Look[]> {
    const looks: Look[] = [];
    const startedMs = performance.now();
    let last = this.#api.created;
    let lastLineAt = 0;
    await waitFor(
      async () => {
        const elapsed = (performance.now() - startedMs) / 1_000;
        if (elapsed >= awayAt && elapsed < awayAt + AWAY_SECONDS) this.#api.goAway();
        if (elapsed >= awayAt + AWAY_SECONDS && this.#api.isAway) this.#api.comeBack();
        looks.push(await this.#look());
        if (elapsed - lastLineAt >= LINE_EVERY) {
          lastLineAt = elapsed;
          const created = since(last, this.#api.created);
          const recent = looks.slice(-LINE_EVERY);
          say(lineOf(elapsed, created, recent, this.#customers.answers));
          last = this.#api.created;
          // What was created while the API server was away is too little to be divided.
          if (elapsed < awayAt || elapsed > awayAt + AWAY_SECONDS + LINE_EVERY) this.#checkShare(created, recent);
        }
        return signal.aborted;
      },
      { what: 'the phase to be over', deadlineMs: 24 * 3_600_000, everyMs: LOOK_MS },
    );
    return looks;
  }

  #checkShare({ fresh, due, pays, closes }: Created, looks: readonly Look[]): void {
    const isFull = looks.every(({ backlog }) => backlog >= 0.9 * this.#numbers.backlog);
    const share = due / (fresh + due + pays + closes);
    this.#rule(!isFull || share >= DUE_SHARE_MIN, `only ${percent(share)} of what was created in ten seconds was due`);
  }

  async #look(): Promise<Look> {
    const { rows } = await this.#database.query<Look>(`
      select
        count(*) filter (where flow = 'create-order')::integer as backlog,
        coalesce(extract(epoch from now() - min(created_at) filter (where flow <> 'create-order')), 0)::float8 as "oldestSeconds"
      from creation`);
    return rows[0] ?? { backlog: 0, oldestSeconds: 0 };
  }

  #report(name: string, answers: Answers, created: Created, looks: readonly Look[], awayAt: number): void {
    const { offered, created: ended, accepted, shed, others, longest } = answers;
    const { fresh, due, pays, closes, repeats } = created;
    const backlog = Math.max(...looks.map((look) => look.backlog));
    const oldest = Math.max(...looks.map((look) => look.oldestSeconds));
    const all = fresh + due + pays + closes;
    const share = all === 0 ? 0 : (due + pays + closes) / all;
    console.log(`
${name}
  offered ${offered}: 201 ${ended}, 202 ${accepted}, 503 with Retry-After ${shed}, anything else ${JSON.stringify(others)}
  longest answer: ${longest.waiting.toFixed(1)} s with wait=${PREFER_SECONDS}, ${longest.order.toFixed(1)} s without, ${longest.paying.toFixed(1)} s of paying, ${longest.withdrawal.toFixed(1)} s of withdrawals with wait=${WITHDRAW_SECONDS}
  created ${all}: ${fresh} fresh orders, ${due} due orders, ${pays} payments, ${closes} closes (due, paid or closed: ${percent(share)}); ${repeats} repeats
  most orders waiting ${backlog}; oldest payment or close ${oldest.toFixed(1)} s`);
    this.#rule(Object.keys(others).length === 0, `${name}: some were answered ${JSON.stringify(others)}`);
    const beyond = Math.max(
      longest.waiting - PREFER_SECONDS,
      longest.withdrawal - WITHDRAW_SECONDS,
      ...[longest.order, longest.paying],
    );
    this.#rule(
      beyond <= ANSWER_SECONDS_MAX,
      `${name}: an answer took ${beyond.toFixed(1)} s more than it was waited for`,
    );
    const oldestMax = PAY_CLOSE_SECONDS_MAX + (awayAt === Infinity ? 0 : AWAY_SECONDS);
    this.#rule(oldest <= oldestMax, `${name}: a payment or a close waited for ${oldest.toFixed(1)} s`);
    if (awayAt === Infinity) return;
    this.#rule(backlog <= 1.2 * this.#numbers.backlog, `${name}: ${backlog} orders waited at once`);
    const { refused, lastSeconds } = this.#api.madeGood;
    console.log(
      `  ${refused} creations were refused while the API server was away; the last of them was made ${lastSeconds.toFixed(1)} s after it was back`,
    );
  }

  async #drained(signal: AbortSignal): Promise<void> {
    const { backlog, takes } = this.#numbers;
    const startedMs = performance.now();
    // What waits, and a payment or close for each; and some time for those whose time to pay is not over yet.
    const deadlineMs = (PAYMENT_TIMEOUT_SECONDS + 60 + (4 * backlog) / takes) * 1_000;
    let open = '';
    await waitFor(
      async () => {
        open = await this.#stillOpen();
        return open === '' || signal.aborted;
      },
      { what: 'every order to be paid or closed', deadlineMs, everyMs: LOOK_MS },
    ).catch((error: unknown) => this.#broken.push(`${(error as Error).message}: ${open}`));
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
    const { rows: counted } = await this.#database.query<{ readonly orders: number }>(
      'select count(*)::integer as orders from orders',
    );
    const orders = counted[0]?.orders ?? 0;
    const { open: neverMade, lastSeconds } = this.#api.madeGood;
    console.log(
      `\nafterwards\n  ${orders} orders of ${this.#accepted} accepted ones are there, all ended ${seconds} s later`,
    );
    this.#rule(orders === this.#accepted, `${this.#accepted} orders were accepted and ${orders} are there`);
    this.#rule(neverMade === 0, `${neverMade} creations that were refused were never made`);
    this.#rule(
      lastSeconds <= backlog / takes / DUE_PLACES_SHARE,
      `what was refused was made up to ${lastSeconds.toFixed(0)} s after the API server was back`,
    );
    const { rows } = await this.#database.query<Readonly<Record<string, unknown>>>(DURATIONS);
    for (const { flow, number, p50, p99, max } of rows)
      console.log(
        `  ${String(flow)}: ${String(number)}, from wanted to done p50 ${String(p50)} s, p99 ${String(p99)} s, longest ${String(max)} s`,
      );
    const violations = await this.#shop.violations();
    console.log(`  all data ${violations.length === 0 ? 'agree' : JSON.stringify(violations.slice(0, 10))}`);
    this.#rule(violations.length === 0, `${violations.length} invariants are violated`);
  }

  /** What is not at its end yet, for people; '' when all is. */
  async #stillOpen(): Promise<string> {
    const { rows } = await this.#database.query<{ readonly what: string; readonly number: number }>(`
      select status as what, count(*)::integer as number from orders where status not in ('PAID', 'CLOSED') group by status
      union all
      select 'creations', count(*)::integer from creation having count(*) > 0`);
    if (rows.length > 0) return rows.map(({ what, number }) => `${number} ${what}`).join(', ');
    const violations = await this.#shop.violations();
    return violations
      .slice(0, 3)
      .map(({ says }) => says)
      .join('; ');
  }
}

const DURATIONS = `
  select
    flow,
    count(*)::integer as number,
    round(extract(epoch from percentile_cont(0.5) within group (order by ended_at - created_at)), 1) as p50,
    round(extract(epoch from percentile_cont(0.99) within group (order by ended_at - created_at)), 1) as p99,
    round(extract(epoch from max(ended_at - created_at)), 1) as max
  from ended_creation
  group by flow
  order by flow`;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

function since(before: Created, now: Created): Created {
  const names = ['fresh', 'due', 'pays', 'closes', 'repeats'] as const;
  return Object.fromEntries(names.map((name) => [name, now[name] - before[name]])) as unknown as Created;
}

function lineOf(elapsed: number, created: Created, looks: readonly Look[], { offered, shed }: Answers): string {
  const { fresh, due, pays, closes, repeats } = created;
  const oldest = Math.max(...looks.map(({ oldestSeconds }) => oldestSeconds)).toFixed(1);
  return (
    `${elapsed.toFixed(0).padStart(4)} s  offered ${offered}, shed ${shed}, waiting ${looks.at(-1)?.backlog ?? 0}; created since ` +
    `${fresh} fresh, ${due} due, ${pays} payments, ${closes} closes, ${repeats} repeats; oldest payment or close ${oldest} s`
  );
}

function readNumbers(): Numbers {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { rate: text, takes: text, seconds: text, backlog: text } });
  const takes = Number(values.takes ?? 20);
  const numbers = {
    ...{ takes, rate: Number(values.rate ?? 1.25 * takes), seconds: Number(values.seconds ?? 120) },
    // As the service's own default is: 25 s of what the API server takes.
    backlog: Number(values.backlog ?? 25 * takes),
  };
  // With fewer, the order service's 32 places alone are a queue in which every call times out.
  if (numbers.takes >= 10 && numbers.rate > numbers.takes && numbers.seconds >= 60 && numbers.backlog >= 1)
    return numbers;
  throw new Error('--takes must be at least 10, --rate more than that, --seconds at least 60, --backlog at least 1');
}

async function drill(numbers: Numbers, signal: AbortSignal): Promise<boolean> {
  const own = await openControlPlane();
  const api = await LimitedApiServer.start(own, numbers.takes);
  const order = {
    ORDER_BACKLOG_MAX: String(numbers.backlog),
    ORDER_PAYMENT_TIMEOUT_SECONDS: String(PAYMENT_TIMEOUT_SECONDS),
    ORDER_PAYMENT_GRACE_SECONDS: '5',
  };
  const options = { cluster: own.cluster, apiServerThrough: api.url, ownServers: true, serviceEnv: { order } };
  const shop = await openShop('overload', { ...options, services: ['payment'] });
  const running = new Drill(numbers, shop, api);
  try {
    await shop.startController();
    const broken = await running.run(signal);
    for (const rule of broken) console.log(`\nBROKEN  ${rule}`);
    return broken.length === 0;
  } finally {
    await running.close();
    await shop.close();
    await api.close();
    await own.close();
  }
}

await runCommand(() => {
  const numbers = readNumbers();
  const { signal, reason } = onEnd();
  void reason.then((why) => say(`stopping: ${why}`));
  return drill(numbers, signal);
});
