/** What `check` and `incidents` say of Leases: of each installation by itself, and of other software's nothing. */
import { describe, expect, test } from '@jest/globals';
import { installationLabels } from '../../src/kubernetes/lease-names.ts';
import type { ApiAnswer, Transport } from '../../src/kubernetes/transport.ts';
import { sessionOn } from '../testing/session.ts';
import { checkLeases, installationsWithoutHolder } from './leases.ts';

const NOW_MS = Date.parse('2026-03-01T12:00:00Z');

interface Told {
  /** Undefined: none. */
  readonly by?: string;
  readonly secondsAgo?: number;
  readonly installation?: string;
  readonly namespace?: string;
}

function lease(name: string, { by, secondsAgo = 1, installation, namespace = 'shop' }: Told): object {
  const labels = installation === undefined ? {} : installationLabels(installation);
  const renewTime = new Date(NOW_MS - secondsAgo * 1_000).toISOString();
  return { metadata: { name, namespace, labels }, spec: { holderIdentity: by, leaseDurationSeconds: 10, renewTime } };
}

async function said(leases: readonly object[], inAll = false) {
  const request = <T>(): Promise<ApiAnswer<T>> => Promise.resolve({ kind: 'ok', body: { items: leases } as T });
  const { session } = sessionOn({ host: 'few.example', request } as unknown as Transport);
  const at = { ...session, now: () => NOW_MS, namespace: inAll ? undefined : 'shop' };
  const findings = await checkLeases(at);
  return {
    check: findings.map(({ what, state, sentence }) => `${what}: ${state}, ${sentence}`),
    leaseless: await installationsWithoutHolder(at),
  };
}

const east = (told: Told) => lease('east-shard-0-of-1', { installation: 'east', ...told });
const west = (told: Told) => lease('west-shard-0-of-1', { installation: 'west', ...told });
const DEAD = { by: 'controller-gone', secondsAgo: 45 };

describe('two installations in a namespace', () => {
  test('that work are well', async () => {
    expect(await said([west({ by: 'controller-w' }), east({ by: 'controller-e' })])).toEqual({
      check: ['Lease east-shard-0-of-1: ok, held by controller-e', 'Lease west-shard-0-of-1: ok, held by controller-w'],
      leaseless: [],
    });
  });

  test.each([
    ['gone without a word', DEAD],
    ['stopped', { secondsAgo: 45 }],
  ])('of which one is %s: that one is said to be, by name', async (_, told) => {
    expect(await said([east({ by: 'controller-e' }), west(told)])).toEqual({
      check: [
        'Lease east-shard-0-of-1: ok, held by controller-e',
        'Lease west-shard-0-of-1: wrong, nobody has renewed it for 45s: is a controller of west running? Where west is gone for good, delete its Leases',
      ],
      leaseless: ['west'],
    });
  });

  test('that both are gone are every one', async () => {
    expect((await said([east(DEAD), west(DEAD)])).leaseless).toBe('every');
  });
});

test('one whose Leases are of another number of shards is not gone', async () => {
  const { leaseless } = await said([
    east(DEAD),
    lease('east-shard-0-of-2', { by: 'controller-e', installation: 'east' }),
  ]);
  expect(leaseless).toEqual([]);
});

test.each(['backup-shard-0-of-1', 'my-ordertx-shard-0-of-1', 'ordertx-shard-a'])(
  'other software’s Lease %s is nobody’s trouble here',
  async (name) => {
    const [theirs, ours] = [lease(name, DEAD), east({ by: 'controller-e' })];
    expect(await said([theirs, ours])).toEqual({
      check: ['Lease east-shard-0-of-1: ok, held by controller-e'],
      leaseless: [],
    });
    expect((await said([theirs])).check).toEqual([expect.stringContaining('no controller has one in this namespace')]);
  },
);

describe('a Lease without the installation’s label', () => {
  test('is judged like any other where controllers are of before there was one', async () => {
    expect((await said([lease('ordertx-shard-0-of-1', { by: 'controller-o' })])).check).toEqual([
      'Lease ordertx-shard-0-of-1: ok, held by controller-o',
    ]);
    expect(await said([lease('ordertx-shard-0-of-1', DEAD)])).toEqual({
      check: ['Lease ordertx-shard-0-of-1: wrong, nobody has renewed it for 45s: is a controller running?'],
      leaseless: 'every',
    });
  });

  test('is left over where an upgrade has given Leases other names, and wakes nobody', async () => {
    expect(await said([lease('ordertx-shard-0-of-1', DEAD), west({ by: 'controller-w' })])).toEqual({
      check: [
        'Lease ordertx-shard-0-of-1: warning, nobody has renewed it for 45s: it is of an older controller, and may be deleted',
        'Lease west-shard-0-of-1: ok, held by controller-w',
      ],
      leaseless: [],
    });
  });

  test('is its installation’s where another one of it has the label', async () => {
    const marked = lease('ordertx-shard-0-of-2', { by: 'controller-o', installation: 'ordertx' });
    const { check, leaseless } = await said([lease('ordertx-shard-0-of-1', DEAD), marked]);
    expect(check[0]).toContain('Lease ordertx-shard-0-of-1: wrong');
    expect(leaseless).toEqual([]);
  });
});

test('over all namespaces a Lease is told with its own, and one of the same name elsewhere does not count for it', async () => {
  const [here, there] = [east({ by: 'controller-e' }), east({ ...DEAD, namespace: 'north' })];
  expect(await said([here, there], true)).toEqual({
    check: [
      expect.stringContaining('Lease north/east-shard-0-of-1: wrong'),
      'Lease shop/east-shard-0-of-1: ok, held by controller-e',
    ],
    leaseless: ['north/east'],
  });
});
