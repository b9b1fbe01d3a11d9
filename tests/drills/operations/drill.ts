/**
 * One fault after the other, each from the alert to the end of the alert; a hold for maintenance; and the rest at the end.
 */
import { waitFor } from '../../../local/deadline.ts';
import type { Stack } from '../../../local/stack.ts';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { Customers } from '../../world/customers.ts';
import { pageCommands } from '../../world/page-commands.ts';
import type { Alert, RunningPrometheus } from '../../world/prometheus-server.ts';
import type { Fault } from './faults.ts';
import type { Load } from './load.ts';
import type { OnCall, Row } from './on-call.ts';

/** The longest `for` of the rules, stuckAfterSeconds, and some seconds until both are seen. */
const ALERT_MS = 180_000;
/** After an alert all that suffer have said the same within the minute in which each may write once. */
const ROWS_MS = 90_000;
/** With a thousand that waited. */
const MENDED_MS = 180_000;
const REST_MS = 300_000;
const LANES = 20;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 1_250 };
/** They look back over five minutes and more: they end later than their cause. */
const LOOKS_BACK = ['OrdertxMessagesRefused', 'OrdertxTransactionsLate', 'OrdertxTransactionsLateForHours'];
/** Longer than stuckAfterSeconds, and than any alert waits. */
const HELD_FOR_MS = 100_000;

export interface DrillParts {
  readonly stack: Stack;
  readonly prometheus: RunningPrometheus;
  readonly onCall: OnCall;
  readonly customers: Customers;
  readonly tell: (text: string) => void;
}

export class Drill {
  readonly #parts: DrillParts;

  constructor(parts: DrillParts) {
    this.#parts = parts;
  }

  get customers(): Customers {
    return this.#parts.customers;
  }

  /** @param orders placed at once while it is broken, beside the load */
  async live(fault: Fault, orders: number): Promise<void> {
    const { tell, onCall } = this.#parts;
    heading(fault.title);
    await this.#quiet('before anything is broken', MENDED_MS);
    const brokenMs = performance.now();
    await fault.inflict();
    await this.#place(orders);
    for (const name of fault.alerts) {
      await this.#fires(name);
      tell(`${name} fires ${secondsSince(brokenMs)} s after it was broken`);
    }
    tell(alertTable(await this.#firing()));

    await this.#rowsAre(fault, orders);
    const rows = await onCall.incidents();
    const [first] = rows;
    if (first === undefined) throw new Error('`kubectl ordertx incidents` shows nothing, and an alert fires');
    await this.#describe(first);

    const mendingMs = performance.now();
    await fault.mend();
    for (const row of rows) await onCall.retry(row);
    await this.#quiet(`after ${fault.name} was mended`, MENDED_MS);
    tell(`all alerts have ended, and no incident is left, ${secondsSince(mendingMs)} s after the part was put right`);
  }

  /** The page for maintenance, command by command; inventory is stopped meanwhile, and nobody is to be woken. */
  async hold(): Promise<void> {
    const { tell, onCall, stack } = this.#parts;
    heading('maintenance: inventory is on hold, and stopped meanwhile');
    await this.#quiet('before the hold', MENDED_MS);
    const commands = pageCommands('docs/operating/maintenance.md');
    const isRelease = (command: string): boolean => command.includes(':null}');
    const isDeadline = (command: string): boolean => /"timeoutSeconds":\d+\}\}/.test(command);
    const [released, deadlines] = [commands.filter(isRelease), commands.filter(isDeadline)];
    const begin = commands.filter((command) => !isRelease(command) && !isDeadline(command));
    const firingBefore = await this.#firing();
    const patches = begin.filter((command) => command.includes(' patch '));
    for (const command of patches) await onCall.type(command);
    const { part } = stack.business.services.inventory;
    part.process.kill('SIGKILL');
    await part.process.exited;
    await this.#fires('OrdertxOnHold');
    await this.#nobodyIsWoken(firingBefore);
    tell(alertTable(await this.#firing()));
    for (const command of begin.filter((each) => !patches.includes(each))) await onCall.type(command);
    const rows = await onCall.incidents();
    if (rows.length > 0) throw new Error(`\`incidents\` shows what is on hold as trouble: ${rowsInWords(rows)}`);

    await part.restart();
    const releasedMs = performance.now();
    for (const command of released) await onCall.type(command);
    await waitFor(async () => (await this.#waitingFor('inventory')) === 0, {
      ...{ what: 'nothing to wait for inventory any more', deadlineMs: MENDED_MS, everyMs: 1_000 },
    });
    for (const command of deadlines) await onCall.type(command);
    await this.#quiet('after the hold was released', MENDED_MS);
    tell(`all that waited has gone on ${secondsSince(releasedMs)} s after the release`);
  }

  /** The last customer goes, everything comes to its end, and all data agree. */
  async settle(load: Load): Promise<void> {
    const { onCall, customers, tell } = this.#parts;
    heading('all customers go, and every invariant is checked over all data');
    await load.end();
    tell(load.counts);
    await customers.atRest(REST_MS);
    await onCall.incidents();
    await onCall.type('kubectl ordertx check');
    tell('every invariant holds over all databases and all transactions');
  }

  /** A hold is somebody's decision. What fires before it is of what was before it. */
  async #nobodyIsWoken(before: readonly Alert[]): Promise<void> {
    const known = new Set(before.map(({ labels }) => labels.alertname));
    const heldMs = performance.now();
    let woken: readonly Alert[] = [];
    await waitFor(
      async () => {
        const pages = (await this.#firing()).filter(({ labels }) => labels.severity === 'page');
        woken = pages.filter(({ labels }) => !known.has(labels.alertname));
        return performance.now() - heldMs > HELD_FOR_MS;
      },
      {
        ...{ what: 'the hold to have lasted', deadlineMs: 2 * HELD_FOR_MS, everyMs: 1_000 },
        giveUp: () => {
          const names = woken.map(({ labels }) => labels.alertname);
          if (names.length > 0) throw new Error(`a hold wakes somebody: ${names.join(', ')}`);
        },
      },
    );
  }

  async #place(orders: number): Promise<void> {
    let placed = 0;
    const lane = async (): Promise<void> => {
      while (placed < orders) {
        placed += 1;
        await this.customers.order([TEA]);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  async #firing(): Promise<readonly Alert[]> {
    return (await this.#parts.prometheus.alerts()).filter(({ state }) => state === 'firing');
  }

  async #fires(name: string): Promise<void> {
    await waitFor(async () => (await this.#firing()).some(({ labels }) => labels.alertname === name), {
      ...{ what: `the alert ${name}`, deadlineMs: ALERT_MS, everyMs: 500 },
    });
  }

  /** No alert, and no incident. */
  async #quiet(when: string, deadlineMs: number): Promise<void> {
    let last = 'nothing was heard';
    await waitFor(
      async () => {
        const firing = (await this.#firing()).filter(({ labels }) => !LOOKS_BACK.includes(labels.alertname ?? ''));
        const rows = await this.#parts.onCall.rows();
        last = `firing: ${firing.map(({ labels }) => labels.alertname).join(', ')}; incidents: ${rowsInWords(rows)}`;
        return firing.length === 0 && rows.length === 0;
      },
      { what: `alerts and incidents to be over ${when}`, deadlineMs, everyMs: 1_000 },
    ).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; ${last}`, { cause: error });
    });
  }

  /** One row for each flow and operation at the broken part, and none elsewhere. */
  async #rowsAre(fault: Fault, orders: number): Promise<void> {
    let rows: readonly Row[] = [];
    await waitFor(
      async () => {
        rows = await this.#parts.onCall.rows();
        const places = rows.map(({ flow, target, operation }) => `${flow} ${target} ${operation}`);
        return (
          rows.length > 0 &&
          new Set(places).size === rows.length &&
          rows.every(({ target, sentence }) => fault.targets.includes(target) && fault.sentence.test(sentence)) &&
          rows.some(({ count }) => count >= orders)
        );
      },
      { what: 'one row for each flow and operation at the broken part', deadlineMs: ROWS_MS, everyMs: 1_000 },
    ).catch((error: unknown) => {
      const crowd = orders > 0 ? ` (one of ${orders} and more)` : '';
      throw new Error(`${(error as Error).message}${crowd}; \`incidents\` shows ${rowsInWords(rows)}`, {
        cause: error,
      });
    });
  }

  async #describe(row: Row): Promise<void> {
    const text = await this.#parts.onCall.describe(row);
    const missing = [row.target, 'Timeline:', 'Next:'].filter((part) => !text.includes(part));
    if (missing.length > 0) throw new Error(`\`describe\` does not say ${missing.join(', ')}`);
  }

  async #waitingFor(target: string): Promise<number> {
    const selector = encodeURIComponent(`status.waitingFor=${target}`);
    const path = `/apis/ordertx.dev/v1alpha1/ordertransactions?fieldSelector=${selector}`;
    const { body } = await this.#parts.stack.cluster.admin.request('GET', path);
    return (body as { readonly items: readonly OrderTransaction[] }).items.length;
  }
}

function heading(text: string): void {
  console.log(`\n${text}\n${'='.repeat(text.length)}`);
}

function secondsSince(startedMs: number): string {
  return ((performance.now() - startedMs) / 1_000).toFixed(0);
}

function alertTable(alerts: readonly Alert[]): string {
  const lines = alerts.map(
    ({ labels, annotations }) =>
      `${(labels.severity ?? '').padEnd(7)} ${(labels.alertname ?? '').padEnd(32)} ${annotations.summary ?? ''}`,
  );
  return ['ALERTS', ...lines.toSorted()].join('\n');
}

function rowsInWords(rows: readonly Row[]): string {
  const words = rows.map(
    ({ flow, target, operation, count, sentence }) => `${count} of ${flow}, ${operation} at ${target}: "${sentence}"`,
  );
  return words.length === 0 ? 'no row' : words.join('; ');
}
