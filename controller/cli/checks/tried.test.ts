/** Whether guards are in force is said only of what was tried, and nothing that is tried could do harm. */
import { describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { ApiAnswer, ApiRequest } from '../../src/kubernetes/transport.ts';
import type { Session } from '../session.ts';
import type { Finding } from './finding.ts';
import { tryGuards } from './tried.ts';

const UNFINISHED: OrderTransaction = {
  apiVersion: 'ordertx.dev/v1alpha1',
  kind: 'OrderTransaction',
  metadata: { name: 'create-o1', namespace: 'shop', uid: 'u-1', resourceVersion: '7' },
  spec: { flow: 'create-order', orderId: 'o1', payload: { userId: 'u7' }, suspend: false, cancelRequested: false },
};

interface Server {
  readonly transactions?: readonly OrderTransaction[];
  /** What it answers to what is tried; what it does by default is refuse by no guard. */
  readonly to: (request: ApiRequest) => ApiAnswer<unknown>;
}

const ok = (body: unknown): ApiAnswer<unknown> => ({ kind: 'ok', body });
const refused = (message: string, status = 422): ApiAnswer<unknown> => ({
  kind: 'error',
  error: { status, reason: 'Invalid', message },
});
const byGuard = (guard: string): ApiAnswer<unknown> =>
  refused(
    `ordertransactions.ordertx.dev "create-o1" is forbidden: ValidatingAdmissionPolicy '${guard}' with binding '${guard}' denied request: no`,
  );

async function tryAt({ transactions = [UNFINISHED], to }: Server): Promise<{
  readonly findings: ReadonlyMap<string, Finding>;
  readonly tried: readonly ApiRequest[];
}> {
  const tried: ApiRequest[] = [];
  const ask = async (request: ApiRequest): Promise<ApiAnswer<unknown>> => {
    if (request.path.includes('admissionregistration'))
      return ok({ resources: [{ name: 'mutatingadmissionpolicies' }] });
    if (request.method === 'GET') return ok({ items: transactions, metadata: {} });
    tried.push(request);
    return to(request);
  };
  const findings = await tryGuards({ api: { ask }, namespace: 'shop' } as unknown as Session);
  return {
    findings: new Map(findings.map((finding) => [finding.what.replace(/^guard |, tried$/g, ''), finding])),
    tried,
  };
}

const creation = ({ method, body }: ApiRequest): Partial<OrderTransaction['spec']> | undefined =>
  method === 'POST' ? (body as OrderTransaction).spec : undefined;

/** As an API server with all of them in force answers. */
function wellGuarded(request: ApiRequest): ApiAnswer<unknown> {
  if (request.method === 'DELETE') return byGuard('ordertransactions-delete-guard');
  if (request.method === 'PATCH') return byGuard('ordertransactions-payload-guard');
  const spec = creation(request);
  if (spec?.suspendedBy !== undefined) return byGuard('ordertransactions-acts');
  return ok({ metadata: {}, spec: spec?.suspend === true ? { ...spec, suspendedBy: 'alice' } : spec });
}

const statesOf = (findings: ReadonlyMap<string, Finding>): Readonly<Record<string, string>> =>
  Object.fromEntries([...findings].map(([what, { state }]) => [what, state]));

test('all that is tried is a dry run, and means the very object that was read', async () => {
  const { findings, tried } = await tryAt({ to: wellGuarded });
  expect(statesOf(findings)).toEqual({
    'ordertransactions-acts': 'ok',
    'ordertransactions-payload-guard': 'ok',
    'ordertransactions-delete-guard': 'ok',
    'ordertransactions-acts-by': 'ok',
    'ordertransactions-managed-fields': 'ok',
  });
  expect(tried.map(({ query }) => query?.dryRun)).toEqual(tried.map(() => 'All'));
  const deletions = tried.filter(({ method }) => method === 'DELETE');
  expect(deletions).toMatchObject([
    { body: { dryRun: ['All'], preconditions: { uid: 'u-1', resourceVersion: '7' } }, query: { dryRun: 'All' } },
  ]);
});

test('what is taken although it must be refused is wrong; what only saves is a warning', async () => {
  const { findings } = await tryAt({
    to: (request) => ok({ metadata: { managedFields: [] }, spec: creation(request) ?? {} }),
  });
  expect(statesOf(findings)).toEqual({
    'ordertransactions-acts': 'wrong',
    'ordertransactions-payload-guard': 'wrong',
    'ordertransactions-delete-guard': 'wrong',
    'ordertransactions-acts-by': 'warning',
    'ordertransactions-managed-fields': 'warning',
  });
});

describe('is unknown', () => {
  test.each([
    ['a right is lacking', refused('User "bob" cannot delete resource "ordertransactions" in API group', 403)],
    ['something else refuses', refused('admission webhook "other" denied the request: no PLACE today', 403)],
    ['the object has changed meanwhile', refused('the UID or resource version in the precondition', 409)],
    ['no answer comes', { kind: 'unanswered', message: 'no answer within 10 s' } as const],
  ])('where %s', async (_, answer) => {
    const said = JSON.stringify(answer);
    const { findings } = await tryAt({
      to: ({ path }) => JSON.parse(said.replace('PLACE', path.split('/').at(-1) ?? '')) as ApiAnswer<unknown>,
    });
    expect(new Set([...findings.values()].map(({ state }) => state))).toEqual(new Set(['unknown']));
    // Findings are in reports for others.
    expect(JSON.stringify([...findings.values()])).not.toContain('create-o1');
  });

  test('where there is nothing unfinished, or only what was given up', async () => {
    const givenUp = {
      ...UNFINISHED,
      metadata: { ...UNFINISHED.metadata, annotations: { 'ordertx.dev/abandon': 'TICKET-1' } },
    };
    const ended = { ...UNFINISHED, status: { phase: 'Succeeded' as const } };
    const { findings, tried } = await tryAt({ transactions: [givenUp, ended], to: wellGuarded });
    expect(findings.get('ordertransactions-delete-guard')?.sentence).toContain('there is no unfinished transaction');
    expect(findings.get('ordertransactions-payload-guard')?.state).toBe('unknown');
    expect(tried.every(({ method }) => method === 'POST')).toBe(true);
  });
});
