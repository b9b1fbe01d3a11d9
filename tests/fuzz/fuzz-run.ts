/**
 * All operations of a service, each with its share of cases that the document allows and of mutated ones.
 *
 * The cases belong to the seed alone; several are under way at once, so the order in which they end does not.
 */
import fc from 'fast-check';
import { createHmac } from 'node:crypto';
import { Agent } from 'node:http';
import { exchange, type Answer, type WireRequest } from './exchange.ts';
import { mutatedCases, validCase, type FuzzCase } from './mutations.ts';
import { readOperations, type Operation } from './openapi-document.ts';
import { SIGNED_WHEN_SENT, validRequests, type Known } from './requests.ts';
import { faultsOf } from './verdict.ts';

/** Of each half. */
const CASES = 110;
/** Enough to meet in the database, few enough that an answer's time is the service's own. */
const UNDER_WAY_MAX = 4;
const FAULTS_SHOWN_MAX = 6;
const TEXT_SHOWN_CHARS = 600;

export interface FuzzTarget {
  readonly name: string;
  readonly url: string;
  readonly known: Known;
  /** The secret of the payment provider's signatures. */
  readonly providerSecret?: string;
}

export interface OperationReport {
  readonly title: string;
  readonly cases: number;
  /** How often each status was answered. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly faults: readonly string[];
}

export async function fuzzService(target: FuzzTarget, seed: number): Promise<readonly OperationReport[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: UNDER_WAY_MAX });
  try {
    const reports: OperationReport[] = [];
    for (const operation of await readOperations(target.url)) {
      reports.push(await fuzzOperation(target, operation, seed, agent));
    }
    return reports;
  } finally {
    agent.destroy();
  }
}

/** `order  POST /orders  220 cases  202:90 400:80` */
export function lineOf(service: string, { title, cases, statuses }: OperationReport): string {
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${String(status)}:${String(count)}`);
  return `${service.padEnd(15)} ${title.padEnd(36)} ${String(cases)} cases  ${counts.join(' ')}`;
}

async function fuzzOperation(
  target: FuzzTarget,
  operation: Operation,
  seed: number,
  agent: Agent,
): Promise<OperationReport> {
  const requests = validRequests(operation, target.known);
  const options = { numRuns: CASES, seed };
  const cases = [
    ...fc.sample(
      requests.map((request) => validCase(operation, request)),
      options,
    ),
    ...fc.sample(mutatedCases(operation, requests), options),
  ];
  const statuses = new Map<number, number>();
  const faults: string[] = [];
  const waiting = cases.values();
  async function work(): Promise<void> {
    for (const made of waiting) {
      const { status, sentences } = await judged(target, operation, made, agent);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      faults.push(...sentences);
    }
  }
  await Promise.all(Array.from({ length: UNDER_WAY_MAX }, work));
  const succeeded = [...statuses.keys()].some((status) => status >= 200 && status < 300);
  if (!succeeded) faults.unshift('was never answered 2xx');
  return { title: operation.title, cases: cases.length, statuses, faults: faults.slice(0, FAULTS_SHOWN_MAX) };
}

async function judged(target: FuzzTarget, operation: Operation, made: FuzzCase, agent: Agent) {
  const wire = signed(made.wire, target.providerSecret);
  try {
    const answer = await exchange(target.url, wire, agent);
    const sentences = faultsOf(operation, made, answer).map((fault) => told(fault, made, wire, answer));
    return { status: answer.status, sentences };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { status: 0, sentences: [`no answer (${why}) to ${shown(made, wire)}`] };
  }
}

function told(fault: string, made: FuzzCase, wire: WireRequest, { status, text }: Answer): string {
  return `${String(status)} ${fault}: ${text.slice(0, TEXT_SHOWN_CHARS)}\n    to ${shown(made, wire)}`;
}

function shown({ mutation }: FuzzCase, { method, target, headers, body }: WireRequest): string {
  const what = mutation === undefined ? 'an allowed request' : `a mutated request (${mutation})`;
  const text = body?.toString('utf8').slice(0, TEXT_SHOWN_CHARS) ?? 'no body';
  return `${what}: ${method} ${target.slice(0, TEXT_SHOWN_CHARS)} ${JSON.stringify(headers)} ${text}`;
}

/** As the payment provider signs: the time, the payment's id and the bytes of the body. */
function signed(wire: WireRequest, secret = 'nobody-agreed-on-this'): WireRequest {
  const name = Object.keys(wire.headers).find((header) => wire.headers[header] === SIGNED_WHEN_SENT);
  if (name === undefined) return wire;
  const [, paymentId = ''] = /^\/payments\/([^/?]*)/.exec(wire.target) ?? [];
  const seconds = String(Math.floor(Date.now() / 1_000));
  const digest = createHmac('sha256', secret)
    .update(`${seconds}.${paymentId}.${wire.body?.toString('utf8') ?? ''}`)
    .digest('hex');
  return { ...wire, headers: { ...wire.headers, [name]: `t=${seconds},v1=${digest}` } };
}
