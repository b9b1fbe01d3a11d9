/** What an act answers where others act at the same time, names are taken anew, and answers are those of a server in trouble. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Branch, OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';
import { RETRY_ANNOTATION } from '../src/transaction/requests.ts';
import type { Act } from './act.ts';
import { act, type ActingFlags } from './acting.ts';
import { FewTransactions } from './testing/few-transactions.ts';
import { sessionOn } from './testing/session.ts';
import { abandon } from './verbs/abandon.ts';
import { cancel } from './verbs/cancel.ts';
import { resuming } from './verbs/resume.ts';
import { retry } from './verbs/retry.ts';
import { settling } from './verbs/settle.ts';
import { suspend } from './verbs/suspend.ts';

const FLAGS: ActingFlags = {
  ...{ yes: true, dryRun: 'none', reason: 'TICKET-1', rate: '1000', wait: true, timeout: '10s' },
};
const NAME = 'create-o1';

let api: FewTransactions;
beforeEach(() => {
  api = new FewTransactions();
});

interface Report {
  readonly code: number;
  readonly totals: Readonly<Record<string, number>>;
  readonly items: readonly { readonly name: string; readonly result: string; readonly sentence: string }[];
}

async function done(what: Act, flags: Partial<ActingFlags> = {}, names: readonly string[] = [NAME]): Promise<Report> {
  const { session, printed } = sessionOn(api);
  const code = await act(session, what, names, { ...FLAGS, ...flags });
  return { code, ...(JSON.parse(printed()) as Omit<Report, 'code'>) };
}

function branch(name: string, more: Partial<Branch> = {}): Branch {
  return { name, state: 'Tried', attempts: 4, ...more };
}
const AGAIN = { nextAttemptTime: '2026-03-01T12:01:00Z' } as const;
const REFUSED = { lastError: 'answered 503' } as const;

/** Confirming, and inventory fails. */
function failing(inventory: Partial<Branch> = { ...REFUSED, ...AGAIN }, order: Partial<Branch> = {}) {
  return {
    ...{ phase: 'Confirming', decision: 'Confirm', waitingFor: 'inventory', message: 'inventory: answered 503' },
    branches: [branch('order', { state: 'Confirmed', ...order }), branch('inventory', inventory)],
  } as const satisfies OrderTransaction['status'];
}

const SUCCEEDED = { phase: 'Succeeded', decision: 'Confirm', expires: '2026-03-01T12:10Z' } as const;

/** One after the other, each before one of these requests. */
function before(method: string, ...changes: readonly (() => void)[]): void {
  const left = [...changes];
  api.before = (request) => {
    if (request.method === method && !request.path.includes('selfsubject')) left.shift()?.();
  };
}

describe('a retry', () => {
  const handled = (token: string | undefined, status: OrderTransaction['status']) => (): void =>
    api.setStatus(NAME, { ...status, ...(token !== undefined && { lastHandledRetryAt: token }) });

  test('that another one overtakes is not answered by what failed before either of them', async () => {
    api.put(NAME, failing());
    const nothing = (): void => undefined;
    const overtaken = (): void => api.annotate(NAME, { [RETRY_ANNOTATION]: 'another' });
    // The first is the choice of what is meant.
    before('GET', nothing, overtaken, handled('another', failing(REFUSED)), handled('another', SUCCEEDED));
    expect(await done(retry)).toMatchObject({ code: 0, items: [{ result: 'settled', sentence: 'Succeeded' }] });
  });

  test('is not answered by another participant than the one that fails', async () => {
    const later = { state: 'Tried', lastError: 'answered 425', ...AGAIN } as const;
    api.put(NAME, failing());
    before(
      'GET',
      () => undefined,
      handled('ours', failing(REFUSED, { state: 'Tried' })),
      handled('ours', failing(REFUSED, later)),
      handled('ours', { ...failing({ lastError: 'answered 500', ...AGAIN }), message: 'inventory: answered 500' }),
    );
    expect(await done(retry)).toMatchObject({
      code: 1,
      items: [{ result: 'still failing', sentence: 'inventory: answered 500' }],
    });
  });

  test('of what is given up meanwhile claims no success', async () => {
    api.put(NAME, failing());
    before(
      'GET',
      () => undefined,
      () => api.remove(NAME),
    );
    const { items } = await done(retry);
    expect(items).toMatchObject([{ result: 'too late', sentence: expect.stringContaining('or was given up') }]);
  });

  test('of what is deleted and made again under the same name is none of the new one', async () => {
    api.put(NAME, failing());
    before('PATCH', () => {
      api.remove(NAME);
      api.put(NAME, failing());
    });
    const { items } = await done(retry);
    expect(items).toMatchObject([{ result: 'too late', sentence: 'another transaction has its name by now' }]);
    expect(api.get(NAME)?.metadata.annotations).toBeUndefined();
  });

  test('that an API server in trouble may have taken is not called refused', async () => {
    api.put(NAME, failing());
    api.instead = ({ method }) =>
      method === 'PATCH' ? { status: 504, message: 'request did not complete within requested timeout' } : undefined;
    expect(await done(retry)).toMatchObject({
      code: 1,
      items: [{ result: 'timed out', sentence: expect.stringContaining('may have been taken all the same') }],
    });
  });

  test('of thousands that end at once is answered for all of them', async () => {
    for (let number = 0; number < 1_500; number += 1) api.put(`create-${number}`, failing());
    before('PATCH');
    const end = (): void => {
      for (let number = 0; number < 1_500; number += 1) api.setStatus(`create-${number}`, SUCCEEDED);
    };
    api.before = ({ method, path }) => {
      if (method === 'PATCH' && path.endsWith('/create-1499')) end();
    };
    const { code, totals } = await done(retry, { all: true, timeout: '1s' }, []);
    expect({ code, totals }).toEqual({ code: 0, totals: { settled: 1_500 } });
  });
});

describe('what is suspended or on hold', () => {
  const held = { ...failing(), message: 'on hold: inventory (stock count)' };

  test.each(['none', 'server'])('is held back, and no retry of it fails or succeeds (--dry-run %s)', async (dryRun) => {
    api.put('suspended', failing());
    api.suspend('suspended', 'bob');
    api.put(NAME, held);
    let asked = 0;
    api.before = ({ method }) => {
      if (method === 'PATCH') asked += 1;
      else if (asked === 1) api.setStatus(NAME, { ...held, lastHandledRetryAt: 'ours' });
    };
    expect(await done(retry, { dryRun }, ['suspended', NAME])).toMatchObject({
      code: 1,
      totals: { 'held back': 2 },
      items: [
        { result: 'held back', sentence: 'it is suspended: resume it first' },
        { result: 'held back', sentence: 'on hold: inventory (stock count)' },
      ],
    });
    expect(asked).toBe(dryRun === 'none' ? 1 : 0);
  });

  test('is counted with the others before anybody is asked', async () => {
    api.put('suspended', failing());
    api.suspend('suspended', 'bob');
    api.put(NAME, failing());
    const { session, said } = sessionOn(api, { namespace: 'shop', format: { kind: 'table', wide: false } });
    await act(session, retry, ['suspended', NAME], { ...FLAGS, wait: false });
    expect(said()).toContain('      1 shop/create-order: held back: it is suspended: resume it first\n');
    expect(said()).toContain('      1 shop/create-order: inventory: answered 503\n');
  });

  test('and is quiet is suspended already: it stays with whoever did it', async () => {
    api.put(NAME, failing());
    api.suspend(NAME, 'bob');
    const at = '2026-03-01T12:00:30Z';
    const quiet = {
      type: 'Suspended',
      status: 'True',
      reason: 'Requested',
      message: '',
      observedGeneration: 1,
    } as const;
    api.setStatus(NAME, { ...failing(), conditions: [{ ...quiet, lastTransitionTime: at }] });
    expect(await done(suspend)).toMatchObject({
      code: 0,
      items: [{ result: 'too late', sentence: 'it is suspended already, by bob' }],
    });
  });
});

describe('to resume', () => {
  const CREATED_MS = Date.parse('2026-03-01T12:00:00Z');
  const flow = {
    ...{ apiVersion: 'ordertx.dev/v1alpha1', kind: 'TransactionFlow' },
    metadata: { name: 'create-order', namespace: 'shop' },
    spec: { timeoutSeconds: 30, stuckAfterSeconds: 60, ttlSecondsAfterFinished: 300, participants: [] },
  } as unknown as TransactionFlow;
  const undecided = {
    phase: 'Trying',
    branches: [branch('order'), branch('inventory', { state: 'Untried' })],
  } as const;
  const cancelled = {
    ...undecided,
    phase: 'Cancelling',
    decision: 'Cancel',
    decisionReason: 'DeadlineExceeded',
  } as const;
  const resumed = (status: OrderTransaction['status'], afterMs: number, seen = status) => {
    api.put(NAME, status ?? {});
    api.suspend(NAME, 'bob');
    api.before = ({ method }) => {
      if (method === 'GET' && api.get(NAME)?.spec.suspend === false) api.setStatus(NAME, seen ?? {});
    };
    return done(
      resuming([flow], () => CREATED_MS + afterMs),
      { timeout: '1s' },
    );
  };

  test('what is past its deadline is no success: it is cancelled', async () => {
    expect(await resumed(undecided, 31_000, cancelled)).toMatchObject({
      code: 1,
      totals: { 'too late': 1 },
      items: [{ sentence: 'its deadline passed while it was suspended: it is cancelled (DeadlineExceeded)' }],
    });
  });

  test('what is past it and not decided yet is not called settled', async () => {
    expect(await resumed(undecided, 31_000)).toMatchObject({
      code: 1,
      items: [{ result: 'timed out', sentence: expect.stringContaining('past its deadline') }],
    });
  });

  test('what has time left says until when, and what was decided before goes on', async () => {
    expect(await resumed(undecided, 10_000)).toMatchObject({
      code: 0,
      items: [{ result: 'settled', sentence: 'it goes on; its deadline is at 2026-03-01T12:00:30.000Z (in 20 s)' }],
    });
    expect(await resumed(cancelled, 31_000)).toMatchObject({ code: 0, items: [{ sentence: 'it goes on' }] });
  });
});

test('a request that nobody has answered is stored, and the next look is whether a controller runs', async () => {
  api.put(NAME, { phase: 'Pending' });
  expect(await done(cancel, { timeout: '1ms' })).toMatchObject({
    code: 1,
    items: [{ result: 'timed out', sentence: expect.stringMatching(/is stored .*kubectl ordertx check/) }],
  });
  expect(api.get(NAME)?.spec.cancelRequested).toBe(true);
});

test('in all namespaces each is told with its own', async () => {
  api.put(NAME, failing());
  const { session, printed } = sessionOn(api, { namespace: undefined, format: { kind: 'table', wide: false } });
  expect(await act(session, retry, [], { ...FLAGS, all: true, wait: false })).toBe(0);
  expect(printed()).toBe(`shop/${NAME}: asked: what comes of it was not waited for\nretry: 1 transaction: 1 asked\n`);
});

describe('to settle', () => {
  test('what is deleted and made again under the same name settles nothing of the new one', async () => {
    api.put(NAME, failing());
    before('PATCH', () => {
      api.remove(NAME);
      api.put(NAME, failing());
    });
    const { items } = await done(settling('inventory'));
    expect(items).toMatchObject([{ result: 'too late', sentence: expect.stringContaining('another transaction') }]);
    expect(api.get(NAME)?.spec.resolutions).toBeUndefined();
  });

  test('beside somebody who settles another part keeps what both have written', async () => {
    api.put(NAME, failing());
    before('PATCH', () => api.settle(NAME, { target: 'order', as: 'Confirmed', reason: 'TICKET-2' }));
    await done(settling('inventory'), { wait: false });
    expect(api.get(NAME)?.spec.resolutions?.map(({ target }) => target)).toEqual(['order', 'inventory']);
  });
});

describe('to give up', () => {
  test('what ends in between leaves it to be archived as it ended', async () => {
    api.put(NAME, failing());
    let deletions = 0;
    api.before = ({ method }) => {
      // The first only tries.
      if (method === 'DELETE' && ++deletions === 2) api.setStatus(NAME, SUCCEEDED);
    };
    expect((await done(abandon)).items).toMatchObject([
      { result: 'too late', sentence: expect.stringContaining('it has ended (Succeeded)') },
    ]);
    expect(api.get(NAME)?.status?.phase).toBe('Succeeded');
  });

  test('what is deleted and made again in between is left alone', async () => {
    api.put(NAME, failing());
    let deletions = 0;
    api.before = ({ method }) => {
      if (method !== 'DELETE' || ++deletions !== 2) return;
      api.remove(NAME);
      api.put(NAME, failing());
    };
    expect((await done(abandon)).items).toMatchObject([
      { result: 'too late', sentence: 'another transaction has its name by now' },
    ]);
    expect(api.get(NAME)?.metadata.annotations).toBeUndefined();
  });

  test('what changes in between gives up the newest copy', async () => {
    api.put(NAME, failing());
    let deletions = 0;
    api.before = ({ method }) => {
      if (method === 'DELETE' && ++deletions === 2)
        api.setStatus(NAME, failing({ lastError: 'answered 500', ...AGAIN }));
    };
    expect((await done(abandon)).items).toMatchObject([{ result: 'settled', sentence: 'given up and deleted' }]);
    expect(api.get(NAME)).toBeUndefined();
  });

  test.each(['none', 'server'])(
    'without the right to delete names that right and writes nothing (--dry-run %s)',
    async (dryRun) => {
      api.put(NAME, failing());
      api.instead = ({ method }) =>
        method === 'DELETE'
          ? {
              status: 403,
              message: 'User "alice" cannot delete resource "ordertransactions" in API group "ordertx.dev"',
            }
          : undefined;
      await expect(done(abandon, { dryRun })).rejects.toThrow('alice may not delete ordertransactions.ordertx.dev');
      expect(api.get(NAME)?.metadata.annotations).toBeUndefined();
    },
  );
});
