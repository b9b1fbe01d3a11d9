/**
 * Completion for shells, through kubectl: it runs `kubectl_complete-ordertx` with what has been typed, the last word being the one to
 * complete, and reads candidates a line each, with a description behind a tab, and a directive at the end.
 *
 * Nothing that goes wrong is said: a shell would print it into the line that is being typed.
 */
import type { Command, Option } from 'commander';
import { FLOWS, NEEDS_WORK_SELECTOR, TRANSACTIONS, type Resource } from '../src/kubernetes/stored-object.ts';
import { collectionOf } from './api.ts';
import { incidentsOf, sufferingsOf } from './incident.ts';
import { printable } from './output/printable.ts';
import type { Session } from './session.ts';

/** Of kubectl's library: no files instead. */
const NO_FILES = ':4';
/** More than this nobody reads, and one page of the API server's is quick. */
const CANDIDATES_MAX = 200;
const NAMESPACES: Resource = { group: '', version: 'v1', plural: 'namespaces' };
/** Verbs that take flows instead of transactions. */
const OF_FLOWS = new Set(['hold', 'release']);
const OF_TRANSACTIONS = new Set(['describe', 'retry', 'suspend', 'resume', 'cancel', 'settle', 'abandon']);

type Candidates = readonly string[];

/** What kubectl is to print, the directive included. */
export async function complete(program: Command, words: readonly string[], open: () => Session): Promise<string> {
  const last = words.at(-1) ?? '';
  const candidates = await candidatesOf(program, words.slice(0, -1), last, open).catch((): Candidates => []);
  const fitting = candidates.filter((candidate) => candidate.startsWith(last)).slice(0, CANDIDATES_MAX);
  return [...fitting, NO_FILES].map((line) => `${line}\n`).join('');
}

async function candidatesOf(
  program: Command,
  before: readonly string[],
  last: string,
  open: () => Session,
): Promise<Candidates> {
  const verb = verbIn(program, before);
  const options = [...(verb?.options ?? []), ...program.options];
  const flag = options.find((option) => takesValue(option) && isNamed(option, before.at(-1)));
  if (flag !== undefined) return valuesOf(flag, open);
  if (last.startsWith('-')) {
    return options.flatMap(({ long, description }) => (long ? [`${long}\t${description}`] : []));
  }
  if (verb === undefined) return program.commands.map((each) => `${each.name()}\t${each.description()}`);
  if (OF_FLOWS.has(verb.name())) return names(open(), FLOWS);
  return OF_TRANSACTIONS.has(verb.name()) ? names(open(), TRANSACTIONS, NEEDS_WORK_SELECTOR) : [];
}

/** The first word that is one, and no flag's value. */
function verbIn(program: Command, words: readonly string[]): Command | undefined {
  for (const [index, word] of words.entries()) {
    const isValue = program.options.some((option) => takesValue(option) && isNamed(option, words[index - 1]));
    const verb = isValue ? undefined : program.commands.find((each) => each.name() === word);
    if (verb) return verb;
  }
  return undefined;
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

function isNamed({ short, long }: Option, word: string | undefined): boolean {
  return word !== undefined && (word === short || word === long);
}

async function valuesOf({ long }: Option, open: () => Session): Promise<Candidates> {
  switch (long ?? '') {
    case '--namespace':
      return names(open(), NAMESPACES);
    case '--flow':
      return names(open(), FLOWS);
    case '--output':
      return ['json', 'yaml', 'name', 'wide', 'jsonpath='];
    case '--dry-run':
      return ['none', 'server'];
    case '--target':
      return targets(open());
    case '--branch':
    case '--message':
      return targets(open());
    case '--incident':
      return incidents(open());
    default:
      return [];
  }
}

async function names(session: Session, resource: Resource, fieldSelector?: string): Promise<Candidates> {
  const isNamespaced = resource !== NAMESPACES;
  const answer = await session.api.ask<{ items: { metadata: { name: string } }[] }>({
    method: 'GET',
    path: collectionOf(resource, isNamespaced ? session.namespace : undefined),
    query: { limit: String(CANDIDATES_MAX), ...(fieldSelector !== undefined && { fieldSelector }) },
    once: true,
  });
  return answer.kind === 'ok' ? answer.body.items.map(({ metadata }) => metadata.name) : [];
}

async function targets(session: Session): Promise<Candidates> {
  const flows = await session.api.flows(session.namespace);
  return [
    ...new Set(flows.flatMap(({ spec }) => [...spec.participants, ...(spec.messages ?? [])].map(({ name }) => name))),
  ];
}

async function incidents(session: Session): Promise<Candidates> {
  const found = await session.api.transactions(session.namespace, { fieldSelector: NEEDS_WORK_SELECTOR }, sufferingsOf);
  return incidentsOf(found.flat()).map(
    ({ id, transactions, sentence }) => `${id}\t${transactions.length}: ${printable(sentence)}`,
  );
}
