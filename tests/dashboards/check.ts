/**
 * Does every panel show something? `npm run dashboards:check [-- --per-second 2 --pictures docs/operating/dashboards]`
 *
 * The whole system under a load of orders, with an archive, scraped by a real Prometheus; a participant that hangs, a consumer that hangs, one
 * that refuses, and a message on hold in turn. Meanwhile every query of every dashboard of the chart is asked as Grafana would, until each has
 * been answered with data. Fails with the names of those that were not, or at once with one that is refused. With --pictures what the panels
 * show at the end is drawn, a file for each dashboard.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { provisionedDashboards, type Dashboard } from '../../dashboards/provisioned.ts';
import { waitFor } from '../../local/deadline.ts';
import { onEnd } from '../../local/interruption.ts';
import { say } from '../../local/progress.ts';
import { runCommand } from '../bench/command.ts';
import { ask, everyQuery, isEmpty, nameOf, type Asked, type Sources } from './ask.ts';
import { openLoadedSystem, type LoadedSystem } from './loaded-system.ts';
import { pictureOf } from './picture.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FOLDER = join(ROOT, '.ordertx', 'dashboards');
/** How long each trouble lasts at most; it ends when nothing more is seen by it. */
const TROUBLE_MS = 25_000;
const ARCHIVED_MS = 240_000;
const LOOK_EVERY_MS = 3_000;

function readOptions(): { readonly perSecond: number; readonly pictures: string | undefined } {
  const { values } = parseArgs({
    options: { 'per-second': { type: 'string', default: '2' }, pictures: { type: 'string' } },
  });
  const perSecond = Number(values['per-second']);
  if (!(perSecond > 0)) throw new Error(`--per-second must be a number above 0, and is ${values['per-second']}`);
  return { perSecond, pictures: values.pictures };
}

/** The order that the archive is asked for: of those with most transactions there one that was paid. */
async function archivedOrder(archiveUrl: string): Promise<string | undefined> {
  const client = new Client({ connectionString: archiveUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ readonly order_id: string }>(
      "select order_id from ordertx_archive where flow = 'pay-order' and outcome = 'Succeeded' order by finished_at limit 1",
    );
    return rows[0]?.order_id;
  } catch {
    return undefined; // The controller makes the table when it first archives.
  } finally {
    await client.end();
  }
}

class Check {
  readonly #system: LoadedSystem;
  readonly #fromMs = Date.now();
  readonly #all = everyQuery(provisionedDashboards());
  #remaining = this.#all;
  #search = '';

  constructor(system: LoadedSystem) {
    this.#system = system;
  }

  get remaining(): readonly string[] {
    return this.#remaining.map(nameOf);
  }

  get counts(): string {
    return `${this.#all.length - this.#remaining.length} of ${this.#all.length} queries have shown something`;
  }

  get #sources(): Sources {
    const { prometheusUrl, archiveUrl } = this.#system;
    return { prometheusUrl, archiveUrl, namespace: 'default', search: this.#search };
  }

  /** Asks what has not been answered with data yet. */
  async look(): Promise<void> {
    this.#search ||= (await archivedOrder(this.#system.archiveUrl)) ?? '';
    const left: Asked[] = [];
    for (const asked of this.#remaining) {
      if (asked.target.rawSql !== undefined && this.#search === '') left.push(asked);
      else if (isEmpty(await this.#ask(asked))) left.push(asked);
    }
    this.#remaining = left;
  }

  /** Looks until nothing is left or the time is over. */
  async lookFor(what: string, deadlineMs: number): Promise<void> {
    const until = Date.now() + deadlineMs;
    await waitFor(
      async () => {
        await this.look();
        return this.#remaining.length === 0 || Date.now() >= until;
      },
      { what, deadlineMs: 2 * deadlineMs, everyMs: LOOK_EVERY_MS },
    );
    say(`${what}: ${this.counts}`);
  }

  /** @param source which dashboards: those that ask Prometheus, or the one that asks the archive */
  async draw(folder: string, source: 'metrics' | 'archive'): Promise<void> {
    await mkdir(folder, { recursive: true });
    const range = { fromMs: this.#fromMs, toMs: Date.now() };
    const isMeant = ({ uid }: Dashboard): boolean => (uid === 'ordertx-archive') === (source === 'archive');
    for (const dashboard of provisionedDashboards().filter(isMeant)) {
      const shown = new Map<Asked['target'], Awaited<ReturnType<typeof ask>>>();
      for (const asked of everyQuery([dashboard])) shown.set(asked.target, await this.#ask(asked, range));
      await writeFile(join(folder, `${dashboard.uid}.svg`), pictureOf(dashboard, range, shown));
    }
  }

  /** @param range of what is drawn, the same for all: what was asked for later would lie beyond its edge */
  #ask(asked: Asked, range = { fromMs: this.#fromMs, toMs: Date.now() }): ReturnType<typeof ask> {
    return ask(asked, range, this.#sources).catch((error: unknown) => {
      throw new Error(`${nameOf(asked)}: ${(error as Error).message}`, { cause: error });
    });
  }
}

async function run(): Promise<boolean> {
  const { perSecond, pictures } = readOptions();
  const end = onEnd();
  const system = await openLoadedSystem(FOLDER, perSecond, end.signal);
  try {
    const check = new Check(system);
    await check.lookFor('under load', TROUBLE_MS);
    await system.hold(true);
    for (const name of ['consumer-stopped', 'participant-503', 'consumer-refuses']) {
      const fault = system.faults.get(name);
      if (fault === undefined) throw new Error(`there is no fault ${name}`);
      await fault.inflict();
      await check.lookFor(fault.title, TROUBLE_MS);
      // What is seen last is drawn: there is to be something in the tables of what is wrong just now.
      if (name === 'consumer-refuses' && pictures !== undefined) await check.draw(join(ROOT, pictures), 'metrics');
      await fault.mend();
    }
    await system.hold(false);
    await check.lookFor('until what has ended is archived', ARCHIVED_MS);
    if (pictures !== undefined) await check.draw(join(ROOT, pictures), 'archive');
    for (const name of check.remaining) say(`nothing was shown by ${name}`);
    return check.remaining.length === 0;
  } finally {
    await system.close();
  }
}

await runCommand(async () => {
  if (!(await run())) return false;
  say('every query of every dashboard has shown something');
  return true;
});
