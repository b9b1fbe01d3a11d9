/** Each act of a person is told once, by name; also over restarts and a change of owner. */
import { beforeEach, expect, test } from '@jest/globals';
import type { OrderTransaction, OrderTransactionStatus } from '../../../crds/generated/ordertransaction.ts';
import type { Act } from '../transaction/acts.ts';
import { PeoplesActs } from './acts.ts';

const KEY = 'shop/create-o1';

let generation = 1;
let current: OrderTransaction;
/** Every telling, by whichever process, as an Event's name would tell them apart. */
let told: (Pick<Act, 'reason' | 'note'> & { readonly event: string })[];
let gone: OrderTransaction[];
let owned: boolean;
let acts: PeoplesActs;

/** A process that has just begun: it remembers nothing. */
function restarted(): PeoplesActs {
  return new PeoplesActs({
    ownership: { owns: () => owned },
    tell: ({ metadata }, { reason, id, note }) =>
      told.push({ reason, note, event: `${metadata.uid ?? ''} ${reason} ${id}` }),
    gone: (transaction) => gone.push(transaction),
  });
}

beforeEach(() => {
  generation = 1;
  [told, gone, owned] = [[], [], true];
  acts = restarted();
  current = {
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'OrderTransaction',
    metadata: { name: 'create-o1', namespace: 'shop', uid: 'u1', generation },
    spec: { flow: 'create-order', orderId: 'o1', payload: {}, suspend: false, cancelRequested: false },
  };
});

function written(change: {
  readonly spec?: object;
  readonly status?: OrderTransactionStatus;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly uid?: string;
}): void {
  if (change.spec) generation += 1;
  const { metadata, spec, status } = current;
  const { uid = metadata.uid, annotations = metadata.annotations } = change;
  current = {
    ...current,
    metadata: { ...metadata, generation, ...(uid !== undefined && { uid }), ...(annotations && { annotations }) },
    spec: { ...spec, ...change.spec },
    ...((change.status ?? status) && { status: change.status ?? status }),
  };
  acts.heard(KEY, current);
}

const suspended = (status: 'True' | 'False'): OrderTransactionStatus => ({
  conditions: [{ type: 'Suspended', status, reason: 'Requested', lastTransitionTime: '2026-11-22T23:15:00Z' }],
});
const notes = () => told.map(({ note }) => note);
const events = () => new Set(told.map(({ event }) => event)).size;

test('who suspends it and who lets it go on is told once each, however often it is heard of', () => {
  written({ spec: { suspend: true, suspendedBy: 'alice' } });
  written({ status: suspended('True') });
  written({ spec: { suspend: false, resumedBy: 'bob' } });
  written({});
  written({ status: suspended('False') });
  written({});
  expect(notes()).toEqual(['alice suspended it', 'bob let it go on']);
});

test('a suspension that follows before the last one was acknowledged as ended is told', () => {
  written({ spec: { suspend: true, suspendedBy: 'alice' } });
  written({ status: suspended('True') });
  written({ spec: { suspend: false, resumedBy: 'bob' } });
  written({ spec: { suspend: true, suspendedBy: 'carol' } });
  expect(notes()).toEqual(['alice suspended it', 'bob let it go on', 'carol suspended it']);
  expect(events()).toBe(3);
});

test('after a restart what the status answers is not told again, and what it does not is the same Event', () => {
  written({ spec: { suspend: true, suspendedBy: 'alice' } });
  acts = restarted();
  written({});
  expect(told).toHaveLength(2);
  expect(events()).toBe(1);
  written({ status: suspended('True') });
  acts = restarted();
  written({ spec: { cancelRequested: true, cancelRequestedBy: 'bob' } });
  expect(notes().slice(2)).toEqual(['bob asked for its cancellation']);
  acts = restarted();
  written({ spec: { suspend: false, resumedBy: 'alice' } });
  expect(notes().slice(3).sort()).toEqual(['alice let it go on', 'bob asked for its cancellation']);
  expect(events()).toBe(3);
});

test('a request for its cancellation is told until it is decided', () => {
  written({ spec: { cancelRequested: true, cancelRequestedBy: 'alice' } });
  written({ status: { phase: 'Cancelling', decision: 'Cancel' } });
  acts = restarted();
  written({});
  expect(notes()).toEqual(['alice asked for its cancellation']);
});

test('each part that is settled is told, with how and why, until it has ended', () => {
  const status: OrderTransactionStatus = {
    phase: 'Confirming',
    decision: 'Confirm',
    branches: [
      { name: 'order', state: 'Confirmed' },
      { name: 'inventory', state: 'Tried' },
    ],
    messages: [{ name: 'lock', state: 'Refused', delivery: 'Reliable' }],
  };
  const resolutions = [
    { target: 'order', as: 'Confirmed', reason: 'of long ago', by: 'alice' },
    { target: 'inventory', as: 'Confirmed', reason: 'counted by hand', by: 'alice' },
    { target: 'lock', as: 'Delivered', reason: 'told by telephone', by: 'bob' },
  ];
  written({ status });
  written({ spec: { resolutions: resolutions.slice(0, 2) } });
  written({ spec: { resolutions } });
  expect(notes()).toEqual([
    'alice settled inventory as Confirmed: counted by hand',
    'bob settled lock as Delivered: told by telephone',
  ]);
});

test('what was done before acts were signed has nobody’s name', () => {
  written({ spec: { suspend: true } });
  expect(notes()).toEqual(['somebody unnamed suspended it']);
});

const givenUp = { 'ordertx.dev/abandon': 'ticket 17', 'ordertx.dev/abandoned-by': 'alice' };

test('who gave it up is told, and when it is gone it is handed over with his name', () => {
  written({ annotations: givenUp });
  written({});
  expect(notes()).toEqual(['alice gave it up: ticket 17']);
  acts.heard(KEY, undefined);
  acts.heard(KEY, undefined);
  expect(gone.map(({ metadata }) => metadata.annotations)).toEqual([givenUp]);
});

test('one that was given up and made again under its name is handed over as well', () => {
  written({ annotations: givenUp });
  written({ uid: 'u2', annotations: {} });
  expect(gone.map(({ metadata }) => metadata.uid)).toEqual(['u1']);
});

test.each<{ readonly what: string; readonly change: Parameters<typeof written>[0] }>([
  { what: 'taken back', change: { annotations: {} } },
  { what: 'too short to count', change: { annotations: { 'ordertx.dev/abandon': 'no' } } },
  { what: 'for one that has ended', change: { status: { phase: 'Succeeded' } } },
])('an abandonment that is $what hands nothing over', ({ change }) => {
  written({ annotations: givenUp });
  written(change);
  acts.heard(KEY, undefined);
  expect(gone).toEqual([]);
});

test('what another replica owns is neither told nor handed over, and is seen anew when it is ours', () => {
  owned = false;
  written({ spec: { suspend: true, suspendedBy: 'alice' }, annotations: givenUp });
  acts.heard(KEY, undefined);
  expect([...told, ...gone]).toEqual([]);
  owned = true;
  written({});
  expect(notes().sort()).toEqual(['alice gave it up: ticket 17', 'alice suspended it']);
});

test('of what nobody has touched nothing is remembered', () => {
  for (let count = 0; count < 100; count += 1) acts.heard(`shop/t-${count}`, current);
  expect(acts.touched).toBe(0);
  expect(told).toEqual([]);
});
