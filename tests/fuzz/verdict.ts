/**
 * What is wrong with an answer, in sentences; none for a good one.
 */
import type { Answer } from './exchange.ts';
import type { FuzzCase } from './mutations.ts';
import type { Operation } from './openapi-document.ts';

/** What every app answers by itself, whatever the operation. */
const OF_EVERY_APP = [400, 404, 405, 413, 415];
/** What the participant protocol answers to a call that is not for this participant (participant.openapi.json). */
const OF_EVERY_PARTICIPANT = [403, 421];
/** A case that the document allows is not for these: they would say that it is broken. */
const OF_BROKEN_REQUESTS = [400, 405, 413, 415];
const PROBLEM_TYPE = 'application/problem+json';

interface ProblemBody {
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
}

export function faultsOf(operation: Operation, made: FuzzCase, answer: Answer): readonly string[] {
  const { status } = answer;
  const body = parsed(answer.text);
  return [
    ...(status >= 500 ? ['is a fault of the service'] : []),
    ...(isDeclared(operation, made, status) ? [] : ['is not declared for this operation']),
    ...(status < 400 ? successFaults(operation, made, status, body) : problemFaults(operation, made, answer, body)),
  ];
}

function isDeclared({ responses, participant }: Operation, { mutation }: FuzzCase, status: number): boolean {
  if (responses.has(status)) return true;
  if (participant && OF_EVERY_PARTICIPANT.includes(status)) return true;
  return mutation !== undefined && OF_EVERY_APP.includes(status);
}

function successFaults(operation: Operation, made: FuzzCase, status: number, body: unknown): readonly string[] {
  const result = operation.responses.get(status)?.safeParse(body);
  return [
    ...(made.mustBeRefused ? ['says yes to what the document does not allow'] : []),
    ...(result?.success === false ? [`is not what its schema says: ${result.error.message}`] : []),
  ];
}

function problemFaults(operation: Operation, made: FuzzCase, answer: Answer, body: unknown): readonly string[] {
  const { status, headers } = answer;
  const { title = '', detail = '', ...problem } = (body ?? {}) as ProblemBody;
  const named = made.names.some((name) => detail.toLowerCase().includes(name.toLowerCase()));
  return [
    ...(headers['content-type'] === PROBLEM_TYPE ? [] : [`has the content-type ${String(headers['content-type'])}`]),
    ...(operation.problem.safeParse(body).success ? [] : ['is no problem document']),
    ...(title === '' ? ['has no title'] : []),
    ...(problem.status === status ? [] : [`says that it is ${String(problem.status)}`]),
    ...(detail === '' ? ['has no detail'] : []),
    ...(made.mutation === undefined && OF_BROKEN_REQUESTS.includes(status) ? ['refuses what the document allows'] : []),
    ...(status === 400 && made.mutation !== undefined && !named ? [`names none of: ${made.names.join(', ')}`] : []),
    ...(status === 405 && headers.allow === undefined ? ['has no Allow'] : []),
  ];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
