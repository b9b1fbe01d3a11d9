/**
 * report: what a bug report needs, in one file that can be read through before it is sent. What may not be read is left out and said.
 */
import type { Command } from 'commander';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import manifest from '../../../package.json' with { type: 'json' };
import { NEEDS_WORK_SELECTOR } from '../../src/kubernetes/stored-object.ts';
import { whoAmI } from '../identity.ts';
import { ailmentOf, idOf } from '../incident.ts';
import { Redaction } from '../redaction.ts';
import type { Session } from '../session.ts';
import { Trouble } from '../trouble.ts';
import type { Run } from '../verb.ts';
import { findAll } from './check.ts';
import { readVersions } from './version.ts';

interface ReportFlags {
  readonly file?: string;
}

/** Of each cause, so many say all that there is to say. */
const TRANSACTIONS_PER_INCIDENT_MAX = 5;
const TRANSACTIONS_MAX = 200;
const METRICS_CHARS_MAX = 1_000_000;

export function addReport(program: Command, run: Run): void {
  const command = program
    .command('report')
    .description('a file for a bug report: no names, orders, payloads or people in it')
    .option('--file <path>', 'where to write it; - for stdout');
  command.action((flags: ReportFlags) => run(command, (session) => report(session, flags)));
}

async function report(session: Session, { file }: ReportFlags): Promise<void> {
  const at = new Date(session.now()).toISOString();
  const redaction = new Redaction();
  const bundle = {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'BugReport', at, plugin: manifest.version },
    sections: await sectionsOf(session, redaction),
  };
  const me = await whoAmI(session);
  // Refusals name whom they refuse.
  const whole = `${JSON.stringify(bundle, undefined, 2)}\n`;
  const text =
    me === undefined ? whole : whole.replaceAll(JSON.stringify(me).slice(1, -1), redaction.token('person', me));
  if (file === '-') {
    await session.terminal.print(text);
    return;
  }
  const path = file ?? `ordertx-report-${at.slice(0, 19).replaceAll(':', '-')}.json`;
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new Trouble(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
  await session.terminal.print(`${path}\n`);
  session.terminal.say(
    'It holds no names, orders, payloads or people. Read it through before you send it all the same.',
  );
  for (const [name, section] of Object.entries(bundle.sections)) {
    if ('leftOut' in section) session.terminal.say(`Left out: ${name}: ${section.leftOut}`);
  }
}

type Section = { readonly leftOut: string } | { readonly content: unknown };

async function sectionsOf(session: Session, redaction: Redaction): Promise<Readonly<Record<string, Section>>> {
  const parts: Readonly<Record<string, () => Promise<unknown>>> = {
    versions: () => readVersions(session),
    checks: () => findAll(session),
    crds: () => crdsOf(session),
    flows: async () => (await session.api.flows(session.namespace)).map((flow) => redaction.flow(flow)),
    transactions: () => transactionsOf(session, redaction),
    metrics: () => metricsOf(session),
  };
  const sections = await Promise.all(
    Object.entries(parts).map(async ([name, part]): Promise<readonly [string, Section]> => {
      try {
        return [name, { content: await part() }];
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        return [name, { leftOut: error.message }];
      }
    }),
  );
  return Object.fromEntries(sections);
}

/** Its text is the release's own; whether it is unchanged a digest says. */
async function crdsOf(session: Session): Promise<unknown> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  return Promise.all(
    ['ordertransactions.ordertx.dev', 'transactionflows.ordertx.dev'].map(async (name) => {
      const { spec, status } = await session.api.request<{
        spec: { versions: { name: string; served: boolean; storage: boolean }[] };
        status?: object;
      }>({
        method: 'GET',
        path: `${path}/${name}`,
      });
      const versions = spec.versions.map(({ name: version, served, storage, ...rest }) => {
        const schemaDigest = createHash('sha256').update(JSON.stringify(rest)).digest('hex');
        return { version, served, storage, schemaDigest };
      });
      return { name, versions, status };
    }),
  );
}

async function transactionsOf(session: Session, redaction: Redaction): Promise<unknown> {
  const perIncident = new Map<string, number>();
  let unfinished = 0;
  let kept = 0;
  const examples = await session.api.transactions(
    session.namespace,
    { fieldSelector: NEEDS_WORK_SELECTOR },
    (transaction) => {
      unfinished += 1;
      const ailment = ailmentOf(transaction);
      const id = ailment === undefined ? 'well' : idOf(ailment);
      const count = (perIncident.get(id) ?? 0) + 1;
      perIncident.set(id, count);
      if (count > TRANSACTIONS_PER_INCIDENT_MAX || kept === TRANSACTIONS_MAX) return undefined;
      kept += 1;
      return { incident: id, ...redaction.transaction(transaction) };
    },
    () => {
      perIncident.clear();
      unfinished = kept = 0;
    },
  );
  return { unfinished, perIncident: Object.fromEntries(perIncident), examples };
}

async function metricsOf(session: Session): Promise<unknown> {
  if (!session.controllers.areNamed)
    throw new Trouble('no controller was named: --controller or ORDERTX_CONTROLLER_URL');
  const heard = await session.controllers.metrics();
  return heard.map((each) =>
    each.kind === 'heard' ? { where: each.where, text: each.body.slice(0, METRICS_CHARS_MAX) } : each,
  );
}
