/**
 * Whether the guards are in force, which the API server says of no policy: each is asked by a request that it must refuse.
 *
 * 1. Every request is a dry run, and is said to be one in two places where it would delete: nothing is stored, whatever is answered.
 * 2. Only an answer by the guard itself is one. A right that is lacking, or a refusal by something else, leaves it unknown.
 * 3. What guards an object that exists is tried on an unfinished transaction of the namespace. The guard of the CRDs is not tried: a
 *    look at the system is to send no deletion of all orders, not by dry run either.
 */
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import { NEEDS_WORK_SELECTOR, pathOf, TRANSACTIONS, type ObjectList } from '../../src/kubernetes/stored-object.ts';
import type { ApiAnswer, ApiRequest } from '../../src/kubernetes/transport.ts';
import { isFinal } from '../../src/transaction/phase.ts';
import { collectionOf } from '../api.ts';
import { explainRefusal, guardSentence, isForMissingRights, placeOf } from '../refusal.ts';
import type { Session } from '../session.ts';
import type { Finding } from './finding.ts';

const DRY_RUN = { dryRun: 'All' } as const;
/** Nobody is called so: the API server knows users of more than that. */
const SOMEBODY_ELSE = 'ordertx-check-probe';
const PROBE_NAME = 'ordertx-check-probe';
/** So many are looked through for one that is unfinished and not given up. */
const LOOKED_THROUGH_MAX = 50;
const REFUSALS: readonly number[] = [403, 422];

export async function tryGuards(session: Session): Promise<readonly Finding[]> {
  const namespace = session.namespace ?? 'default';
  const [subject, mutates] = await Promise.all([findSubject(session, namespace), servesMutating(session)]);
  return Promise.all([
    mustRefuse(session, 'ordertransactions-acts', creationOf(namespace, { suspendedBy: SOMEBODY_ELSE })),
    ...(['ordertransactions-payload-guard', 'ordertransactions-delete-guard'] as const).map((guard) =>
      subject.kind === 'found'
        ? mustRefuse(session, guard, requestAgainst(guard, subject.transaction))
        : { what: whatOf(guard), state: 'unknown' as const, sentence: subject.sentence },
    ),
    ...(mutates === true ? [isSigned(session, namespace), hasNoManagedFields(session, namespace)] : []),
  ]);
}

function whatOf(guard: string): string {
  return `guard ${guard}, tried`;
}

type Subject =
  | { readonly kind: 'found'; readonly transaction: OrderTransaction }
  | { readonly kind: 'none'; readonly sentence: string };

/** One whose deletion has to be refused. */
async function findSubject(session: Session, namespace: string): Promise<Subject> {
  const request: ApiRequest = {
    method: 'GET',
    path: collectionOf(TRANSACTIONS, namespace),
    query: { fieldSelector: NEEDS_WORK_SELECTOR, limit: String(LOOKED_THROUGH_MAX) },
  };
  const answer = await session.api.ask<ObjectList<OrderTransaction>>(request);
  if (answer.kind !== 'ok') return { kind: 'none', sentence: `not tried: ${failureOf(request, answer)}` };
  const transaction = answer.body.items.find(
    ({ metadata, status }) => !isFinal(status?.phase) && metadata.annotations?.['ordertx.dev/abandon'] === undefined,
  );
  return transaction === undefined
    ? { kind: 'none', sentence: `not tried: there is no unfinished transaction in the namespace ${namespace}` }
    : { kind: 'found', transaction };
}

function requestAgainst(
  guard: 'ordertransactions-payload-guard' | 'ordertransactions-delete-guard',
  { metadata, spec }: OrderTransaction,
): ApiRequest {
  const { namespace = '', name, uid, resourceVersion } = metadata;
  const path = pathOf(TRANSACTIONS, namespace, name);
  if (guard === 'ordertransactions-delete-guard') {
    const preconditions = { uid, resourceVersion };
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', dryRun: ['All'], preconditions };
    return { method: 'DELETE', path, query: DRY_RUN, body };
  }
  // A field that is renamed is what only the guard sees (docs/adr/0002-guards-as-admission-policies.md).
  const [[field, value] = ['', undefined]] = Object.entries(spec.payload);
  const payload = field === '' ? { added: true } : { [field]: null, [`${field}-renamed`]: value };
  return { method: 'PATCH', path, query: DRY_RUN, body: { metadata: { uid }, spec: { payload } } };
}

function creationOf(namespace: string, spec: object, query: Readonly<Record<string, string>> = {}): ApiRequest {
  return {
    method: 'POST',
    path: collectionOf(TRANSACTIONS, namespace),
    query: { ...DRY_RUN, ...query },
    body: {
      ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'OrderTransaction', metadata: { name: PROBE_NAME } },
      spec: { flow: PROBE_NAME, orderId: PROBE_NAME, payload: { probe: true }, ...spec },
    },
  };
}

async function mustRefuse(session: Session, guard: string, request: ApiRequest): Promise<Finding> {
  const what = whatOf(guard);
  const answer = await session.api.ask<unknown>(request);
  if (answer.kind === 'ok') {
    return { what, state: 'wrong', sentence: 'it refuses nothing: what it must refuse is taken (by dry run)' };
  }
  if (answer.kind === 'error' && REFUSALS.includes(answer.error.status) && isBy(guard, answer.error.message)) {
    return { what, state: 'ok', sentence: 'refuses what it must (by dry run)' };
  }
  return { what, state: 'unknown', sentence: `not tried: ${failureOf(request, answer)}` };
}

/** As the API server frames what a policy says. */
function isBy(guard: string, message: string): boolean {
  return message.includes(`'${guard}'`);
}

/** A suspension says whose it is, although the request does not. */
async function isSigned(session: Session, namespace: string): Promise<Finding> {
  const what = whatOf('ordertransactions-acts-by');
  const request = creationOf(namespace, { suspend: true });
  const answer = await session.api.ask<OrderTransaction>(request);
  if (answer.kind === 'ok' && answer.body.spec.suspendedBy !== undefined) {
    return { what, state: 'ok', sentence: 'fills in who acts (by dry run)' };
  }
  const isAskedFor = answer.kind === 'error' && answer.error.message.includes('write suspendedBy: ');
  if (answer.kind === 'ok' || isAskedFor) {
    return { what, state: 'warning', sentence: 'it does not fill in who acts: people write their names themselves' };
  }
  return { what, state: 'unknown', sentence: `not tried: ${failureOf(request, answer)}` };
}

async function hasNoManagedFields(session: Session, namespace: string): Promise<Finding> {
  const what = whatOf('ordertransactions-managed-fields');
  // Those of kubectl and its plugins are kept.
  const request = creationOf(namespace, {}, { fieldManager: PROBE_NAME });
  const answer = await session.api.ask<OrderTransaction>(request);
  if (answer.kind !== 'ok') return { what, state: 'unknown', sentence: `not tried: ${failureOf(request, answer)}` };
  const { managedFields } = answer.body.metadata as { readonly managedFields?: unknown };
  return managedFields === undefined
    ? { what, state: 'ok', sentence: 'keeps managed fields out (by dry run)' }
    : { what, state: 'warning', sentence: 'it keeps no managed fields out: transactions cost the API server more' };
}

interface Discovery {
  readonly resources?: readonly { readonly name: string }[];
}

/** Whether the API server has policies that mutate; undefined where it does not say. */
export async function servesMutating(session: Session): Promise<boolean | undefined> {
  const request = { method: 'GET', path: '/apis/admissionregistration.k8s.io/v1' } as const;
  const answer = await session.api.ask<Discovery>(request);
  if (answer.kind !== 'ok') return undefined;
  return answer.body.resources?.some(({ name }) => name === 'mutatingadmissionpolicies') === true;
}

/** Reports for others hold findings: whose transaction it was tried on is not in them. */
function failureOf(request: ApiRequest, answer: Exclude<ApiAnswer<unknown>, { readonly kind: 'ok' }>): string {
  if (answer.kind === 'unanswered') return answer.message;
  const { error } = answer;
  if (isForMissingRights(error)) return explainRefusal(request, error);
  const { name } = placeOf(request.path);
  const sentence = guardSentence(error.message);
  return name === undefined ? sentence : sentence.replaceAll(name, 'it');
}
