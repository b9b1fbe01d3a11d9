/**
 * What people do to a transaction needs a verb of its own and carries the name of whoever did it, which nobody can forge: on an API
 * server that fills the name in, and on an older one where people write it themselves.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { ApiAccess, ApiServer } from '../../local/control-plane/api.ts';
import { createNamespace } from '../../local/cluster.ts';
import { waitFor } from '../../local/deadline.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { world } from '../world/world.ts';
import { someoneWith } from './someone.ts';
import {
  adminAccess,
  branches,
  collectionPath,
  connectAsAdmin,
  manifest,
  messages,
  status,
  storeTransaction,
  verdictOf,
  type Step,
} from './stored-transaction.ts';

const NAMESPACE = 'acts';
const SETUP_MS = 120_000;
/** The oldest that the API server under test can pass itself off as; it serves no MutatingAdmissionPolicy. */
const OLDER = ['--emulated-version=1.33'];

const CONFIRM = { phase: 'Confirming', decision: 'Confirm', messages: messages('Pending') } as const;
const DECIDED = status({ ...CONFIRM, branches: branches('Tried', 'Tried') });
/** Of its branches order is open, inventory has ended. */
const CONFIRMING = [DECIDED, status({ ...CONFIRM, branches: branches('Tried', 'Confirmed') })];
const CANCELLING = status({
  phase: 'Cancelling',
  decision: 'Cancel',
  decisionReason: 'Refused',
  branches: branches('Tried', 'Refused'),
});
const SUCCEEDED = status({
  phase: 'Succeeded',
  decision: 'Confirm',
  branches: branches('Confirmed', 'Confirmed'),
  messages: messages('Delivered', 'GaveUp'),
});
const CANCELLED = status({ phase: 'Cancelled', decision: 'Cancel', branches: branches('Cancelled', 'Cancelled') });

const SUSPEND = { spec: { suspend: true } };
const abandon = (reason: string | null, by?: string | null) => ({
  metadata: {
    annotations: { 'ordertx.dev/abandon': reason, ...(by !== undefined && { 'ordertx.dev/abandoned-by': by }) },
  },
});
const resolution = (target: string, by?: string, as = 'Confirmed') => ({
  ...{ target, as, reason: 'ticket 17' },
  ...(by !== undefined && { by }),
});
const settle = (...resolutions: readonly object[]) => ({ spec: { resolutions } });

interface Act {
  readonly act: string;
  readonly verb: 'suspend' | 'cancel' | 'settle' | 'abandon';
  readonly given: readonly Step[];
  /** Done beforehand by the administrator. */
  readonly before?: object;
  /** As a merge patch, under this name or under none. */
  readonly patch: (by?: string) => object;
  readonly nameOf: (stored: OrderTransaction) => string | undefined;
  /** Takes the name away, and nothing else. */
  readonly unsigned: object;
  /** Asks for the name, of someone who leaves it out or writes another. */
  readonly asks: RegExp;
}

const ACTS: readonly Act[] = [
  {
    act: 'suspending it',
    verb: 'suspend',
    given: [],
    patch: (suspendedBy) => ({ spec: { suspend: true, suspendedBy } }),
    nameOf: ({ spec }) => spec.suspendedBy,
    unsigned: { spec: { suspendedBy: null } },
    asks: /spec\.suspendedBy says who suspends it: with suspend: true write suspendedBy: alice/,
  },
  {
    act: 'letting it go on',
    verb: 'suspend',
    given: [],
    before: { spec: { suspend: true, suspendedBy: 'admin' } },
    patch: (resumedBy) => ({ spec: { suspend: false, resumedBy } }),
    nameOf: ({ spec }) => spec.resumedBy,
    unsigned: { spec: { resumedBy: null } },
    asks: /spec\.resumedBy says who lets it go on: with suspend: false write resumedBy: alice/,
  },
  {
    act: 'asking for its cancellation',
    verb: 'cancel',
    given: [],
    patch: (cancelRequestedBy) => ({ spec: { cancelRequested: true, cancelRequestedBy } }),
    nameOf: ({ spec }) => spec.cancelRequestedBy,
    unsigned: { spec: { cancelRequestedBy: null } },
    asks: /spec\.cancelRequestedBy says who asks for it: with cancelRequested: true write cancelRequestedBy: alice/,
  },
  {
    act: 'settling a branch',
    verb: 'settle',
    given: CONFIRMING,
    patch: (by) => settle(resolution('order', by)),
    nameOf: ({ spec }) => spec.resolutions?.find(({ target }) => target === 'order')?.by,
    unsigned: settle(resolution('order')),
    asks: /a resolution says who settled it: in spec\.resolutions, with target: order, write by: alice/,
  },
  {
    act: 'giving it up',
    verb: 'abandon',
    given: [],
    patch: (by) => abandon('ticket 17', by),
    nameOf: ({ metadata }) => metadata.annotations?.['ordertx.dev/abandoned-by'],
    unsigned: { metadata: { annotations: { 'ordertx.dev/abandoned-by': null } } },
    asks: /with ordertx\.dev\/abandon annotate ordertx\.dev\/abandoned-by=alice/,
  },
];

describe.each([
  { where: 'where the API server fills names in', older: false },
  { where: 'on an API server where people write their names', older: true },
])('$where', ({ older }) => {
  let own: OwnControlPlane | undefined;
  let access: ApiAccess;
  let admin: ApiServer;
  /** Alice may do everything that people do, Bob too, Carol may do nothing but patch. */
  let [alice, bob, carol]: readonly ApiServer[] = [];
  let count = 0;
  beforeAll(async () => {
    if (older) own = await openControlPlane({ apiserverFlags: OLDER });
    access = adminAccess(own?.cluster ?? world());
    admin = own?.admin ?? connectAsAdmin();
    await createNamespace(admin, NAMESPACE);
    const all = ['create', 'get', 'patch', 'update', 'suspend', 'cancel', 'settle', 'abandon'];
    [alice, bob, carol] = await Promise.all([
      someoneWith(access, NAMESPACE, 'alice', ...all),
      someoneWith(access, NAMESPACE, 'bob', ...all),
      someoneWith(access, NAMESPACE, 'carol', 'create', 'get', 'patch'),
    ]);
  }, SETUP_MS);
  afterAll(async () => {
    for (const each of [alice, bob, carol]) await each?.close();
    await (own?.close() ?? admin.close());
  });

  const stored = async (path: string) => (await admin.request('GET', path)).body as OrderTransaction;
  const patched = async (api: ApiServer | undefined, path: string, patch: object) =>
    verdictOf(await api!.request('PATCH', path, patch));
  const accepted = { kind: 'accepted' };
  const refused = (says: RegExp, code = 422) => ({
    ...{ kind: 'refused', status: code },
    message: expect.stringMatching(says),
  });

  async function given(steps: readonly Step[], before?: object): Promise<string> {
    const transaction = await storeTransaction(admin, NAMESPACE, `t${(count += 1)}`);
    for (const step of steps) expect(await transaction.take(step)).toMatchObject(accepted);
    if (before) expect(await patched(admin, transaction.path, before)).toMatchObject(accepted);
    return transaction.path;
  }

  describe.each(ACTS)('$act', ({ verb, given: steps, before, patch, nameOf, unsigned, asks }) => {
    test(`is refused to someone without the verb ${verb}, under whatever name`, async () => {
      const path = await given(steps, before);
      const words = new RegExp(`needs the verb "${verb}" on ordertransactions.ordertx.dev, which you do not have`);
      for (const by of [undefined, 'carol', 'alice']) {
        expect(await patched(carol, path, patch(by))).toMatchObject(refused(words, 403));
      }
    });

    test('is refused under a name that is not the own', async () => {
      const path = await given(steps, before);
      expect(await patched(alice, path, patch('carol'))).toMatchObject(refused(asks));
      expect(nameOf(await stored(path))).toBeUndefined();
    });

    test('carries the own name, which is as often written as not', async () => {
      const path = await given(steps, before);
      const plain = await patched(alice, path, patch());
      if (older) expect(plain).toMatchObject(refused(asks));
      else expect(plain).toMatchObject(accepted);
      expect(await patched(alice, path, patch('alice'))).toMatchObject(accepted);
      expect(nameOf(await stored(path))).toBe('alice');
    });

    test('keeps that name, whoever comes next', async () => {
      const path = await given(steps, before);
      expect(await patched(alice, path, patch('alice'))).toMatchObject(accepted);
      // The same act once more is none.
      expect(await patched(bob, path, patch('bob'))).toMatchObject({ kind: 'refused' });
      const without = await patched(bob, path, unsigned);
      if (older) expect(without).toMatchObject({ kind: 'refused' });
      expect(await patched(bob, path, { metadata: { labels: { seen: 'yes' } } })).toMatchObject(accepted);
      expect(nameOf(await stored(path))).toBe('alice');
    });
  });

  test.each([
    { spec: { suspendedBy: 'alice' } },
    { spec: { resumedBy: 'alice' } },
    { spec: { cancelRequestedBy: 'alice' } },
    { metadata: { annotations: { 'ordertx.dev/abandoned-by': 'alice' } } },
  ])('a name without its act is refused: %j', async (patch) => {
    const path = await given([]);
    expect(await patched(alice, path, patch)).toMatchObject(refused(/says who .*it comes (with|and goes with) /));
    const created = { ...manifest('name-only'), ...patch };
    const whole =
      'spec' in patch
        ? manifest('name-only', patch.spec)
        : { ...created, metadata: { name: 'name-only', ...patch.metadata } };
    expect(verdictOf(await alice!.request('POST', collectionPath(NAMESPACE), whole))).toMatchObject(
      refused(/says who .*it comes (with|and goes with) /),
    );
  });

  test('whoever suspends it again has his name there, also over that of the one before', async () => {
    const path = await given([]);
    const signed = (suspend: boolean, name: string) => ({
      spec: { suspend, ...(older && { [suspend ? 'suspendedBy' : 'resumedBy']: name }) },
    });
    await patched(alice, path, signed(true, 'alice'));
    await patched(bob, path, signed(false, 'bob'));
    expect((await stored(path)).spec).toMatchObject({ suspend: false, suspendedBy: 'alice', resumedBy: 'bob' });
    await patched(bob, path, signed(true, 'bob'));
    expect((await stored(path)).spec).toMatchObject({ suspend: true, suspendedBy: 'bob', resumedBy: 'bob' });
  });

  test('of two who settle, each has his name at his own part', async () => {
    const path = await given([DECIDED]);
    await patched(alice, path, settle(resolution('order', older ? 'alice' : undefined)));
    const both = settle(resolution('inventory', older ? 'bob' : undefined), resolution('order', 'alice'));
    expect(await patched(bob, path, both)).toMatchObject(accepted);
    expect((await stored(path)).spec.resolutions).toEqual([
      resolution('inventory', 'bob'),
      resolution('order', 'alice'),
    ]);
  });

  test('giving up is taken back with its name, by whoever may give up, and then done by another', async () => {
    const path = await given([]);
    await patched(alice, path, abandon('ticket 17', 'alice'));
    expect(await patched(carol, path, abandon(null, null))).toMatchObject(refused(/needs the verb "abandon"/, 403));
    expect(await patched(bob, path, abandon('another reason', 'alice'))).toMatchObject(
      older ? { kind: 'refused' } : accepted,
    );
    expect(await patched(bob, path, abandon(null, older ? null : undefined))).toMatchObject(accepted);
    expect((await stored(path)).metadata.annotations ?? {}).toEqual({});
    expect(await patched(bob, path, abandon('ticket 18', 'bob'))).toMatchObject(accepted);
  });

  test('a creation that does nothing but create needs no further verb; one that suspends does, and is signed', async () => {
    const create = async (api: ApiServer | undefined, name: string, spec: Record<string, unknown> = {}) =>
      verdictOf(await api!.request('POST', collectionPath(NAMESPACE), manifest(name, spec)));
    expect(await create(carol, 'plain')).toMatchObject(accepted);
    expect(await create(carol, 'paused', { suspend: true, suspendedBy: 'carol' })).toMatchObject(
      refused(/needs the verb "suspend"/, 403),
    );
    expect(await create(carol, 'doomed', { cancelRequested: true, cancelRequestedBy: 'carol' })).toMatchObject(
      refused(/needs the verb "cancel"/, 403),
    );
    expect(await create(alice, 'paused', { suspend: true, suspendedBy: 'carol' })).toMatchObject(
      refused(/write suspendedBy: alice/),
    );
    expect(await create(alice, 'paused', { suspend: true, ...(older && { suspendedBy: 'alice' }) })).toMatchObject({
      object: { spec: { suspendedBy: 'alice' } },
    });
  });

  test('one with a payload that is too large to be sent is suspended and let go like any other', async () => {
    const payload = Object.fromEntries(
      Array.from({ length: 64 }, (_, field) => [
        `f${field}`,
        Array.from({ length: 100 }, (_each, at) => `${at}`.repeat(20)),
      ]),
    );
    const { path } = await storeTransaction(admin, NAMESPACE, 'large', { payload });
    for (const [suspend, name] of [
      [true, 'suspendedBy'],
      [false, 'resumedBy'],
    ] as const) {
      const patch = { spec: { suspend, ...(older && { [name]: 'alice' }) } };
      expect(await patched(alice, path, patch)).toMatchObject({ object: { spec: { [name]: 'alice' } } });
    }
  });

  test('to have it tried again at once needs no more than patch', async () => {
    const path = await given(CONFIRMING);
    const retry = { metadata: { annotations: { 'ordertx.dev/retry-requested-at': 'now' } } };
    expect(await patched(carol, path, retry)).toMatchObject(accepted);
  });

  describe('too late', () => {
    const suspend = { spec: { suspend: true, suspendedBy: 'alice' } };
    const cancel = { spec: { cancelRequested: true, cancelRequestedBy: 'alice' } };
    test.each([
      {
        late: 'cancel after Confirm',
        steps: CONFIRMING,
        patch: cancel,
        says: /whichever is stored first wins, so after Confirm it is too late to cancel/,
      },
      {
        late: 'settle before the decision',
        steps: [],
        patch: settle(resolution('order', 'alice')),
        says: /too early to settle: a resolution needs a stored decision/,
      },
      {
        late: 'settle against the decision',
        steps: [CANCELLING],
        patch: settle(resolution('order', 'alice')),
        says: /must agree with the stored decision, which is Cancel \(as: Cancelled for a branch, Delivered for a message\)/,
      },
      {
        late: 'settle what has ended',
        steps: CONFIRMING,
        patch: settle(resolution('order', 'alice'), resolution('inventory', 'alice')),
        says: /too late: inventory of transaction t\d+ has ended already, there is nothing left to settle/,
      },
      {
        late: 'suspend one that has ended',
        steps: [DECIDED, SUCCEEDED],
        patch: suspend,
        says: /too late: transaction t\d+ has ended \(Succeeded\), there is nothing left to suspend/,
      },
      {
        late: 'cancel one that has ended',
        steps: [CANCELLING, CANCELLED],
        patch: cancel,
        says: /too late: transaction t\d+ has ended \(Cancelled\), there is nothing left to cancel/,
      },
      {
        late: 'settle one that has ended',
        steps: [CANCELLING, CANCELLED],
        patch: settle(resolution('order', 'alice', 'Cancelled')),
        says: /too late: transaction t\d+ has ended \(Cancelled\), there is nothing left to settle/,
      },
    ])('$late is refused in words', async ({ steps, patch, says }) => {
      expect(await patched(alice, await given(steps), patch)).toMatchObject(refused(says));
    });

    test.each([
      {
        late: 'to give up one that has ended',
        steps: [DECIDED, SUCCEEDED],
        patch: abandon('ticket 17', 'alice'),
        says: /too late: transaction t\d+ has ended \(Succeeded\), there is nothing left to give up; it can be deleted as it is/,
      },
      {
        late: 'to have one tried again that has ended',
        steps: [DECIDED, SUCCEEDED],
        patch: { metadata: { annotations: { 'ordertx.dev/retry-requested-at': 'now' } } },
        says: /too late: transaction t\d+ has ended \(Succeeded\), there is nothing left to try again/,
      },
      {
        late: 'to cancel one that is being cancelled',
        steps: [CANCELLING],
        patch: cancel,
        says: /transaction t\d+ is being cancelled already \(Refused\): the request changes nothing/,
      },
    ])('$late does no harm, and a warning says so', async ({ steps, patch, says }) => {
      const path = await given(steps);
      const answer = await alice!.request('PATCH', path, patch);
      expect(answer).toMatchObject({ status: 200, warnings: [expect.stringMatching(says)] });
      // Nobody is warned of what he does not do.
      const other = await alice!.request('PATCH', path, { metadata: { labels: { seen: 'yes' } } });
      expect(other).toMatchObject({ status: 200, warnings: [] });
    });

    test('what is suspended and has ended all the same can still be let go', async () => {
      const path = await given(CONFIRMING);
      await patched(alice, path, suspend);
      const { status: _, ...rest } = await stored(path);
      await admin.request('PUT', `${path}/status`, {
        ...rest,
        status: SUCCEEDED.kind === 'status' && SUCCEEDED.status,
      });
      expect(await patched(alice, path, { spec: { suspend: false, resumedBy: 'alice' } })).toMatchObject(accepted);
    });
  });

  if (older) {
    test('what was stored before acts were signed stays valid, and is signed from then on', async () => {
      const policies = '/apis/admissionregistration.k8s.io/v1';
      const binding = `${policies}/validatingadmissionpolicybindings/ordertransactions-acts`;
      const { body } = await admin.request('GET', binding);
      const { metadata, ...rest } = body as { metadata: { name: string } };
      await admin.request('DELETE', binding);
      const path = await given([]);
      await untilAnswered(path, 200);
      await patched(admin, path, { ...SUSPEND, ...abandon('of old') });
      await admin.request('POST', `${policies}/validatingadmissionpolicybindings`, {
        ...rest,
        metadata: { name: metadata.name },
      });
      await untilAnswered(await given([]), 422);

      expect((await stored(path)).spec).toMatchObject({ suspend: true });
      expect((await stored(path)).spec.suspendedBy).toBeUndefined();
      expect(await patched(carol, path, { metadata: { labels: { seen: 'yes' } } })).toMatchObject(accepted);
      // Nobody signs afterwards what another did.
      expect(await patched(alice, path, { spec: { suspendedBy: 'alice' } })).toMatchObject(
        refused(/says who suspended it/),
      );
      expect(await patched(alice, path, { spec: { suspend: false, resumedBy: 'alice' } })).toMatchObject(accepted);
      expect((await stored(path)).spec).toMatchObject({ suspend: false, resumedBy: 'alice' });
    });
  }

  /** A trial of an unsigned suspension. */
  async function untilAnswered(path: string, code: number): Promise<void> {
    await waitFor(async () => (await admin.request('PATCH', `${path}?dryRun=All`, SUSPEND)).status === code, {
      what: `an unsigned suspension to be answered ${code}`,
      deadlineMs: 20_000,
    });
  }
});
