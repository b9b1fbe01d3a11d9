/** How Leases are named, and whose one is. */
import { describe, expect, test } from '@jest/globals';
import { readSettings } from '../../../services/kit/src/settings.ts';
import { controllerSettings } from '../config.ts';
import { installationLabels, installationOf, leaseName, LEASE_PREFIX_MAX, readLeaseName } from './lease-names.ts';

const NEEDED = { REDIS_URL: 'redis://127.0.0.1:6379', ORDERTX_AUTH: 'off' };
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

const read = (prefix: string | undefined) =>
  readSettings(controllerSettings, { ...NEEDED, ORDERTX_LEASE_PREFIX: prefix });

describe('the prefix', () => {
  test.each(['shop', '7', 'shop-eu-ordertx', 'x-shard-0-of-1', 'a'.repeat(LEASE_PREFIX_MAX)])(
    '%s is taken, and every Lease’s name with it is a DNS label',
    (prefix) => {
      expect(read(prefix)).toMatchObject({ kind: 'read', values: { leasePrefix: prefix } });
      expect(leaseName(prefix, 63, 64)).toMatch(DNS_LABEL);
    },
  );

  test('is ordertx where nothing is said, as it always was', () => {
    expect(read(undefined)).toMatchObject({ values: { leasePrefix: 'ordertx' } });
    expect(leaseName('ordertx', 0, 3)).toBe('ordertx-shard-0-of-3');
  });

  test.each(['Shop', 'shop.eu', '-shop', 'shop-', 'shop eu', 'shop/eu'])('%s is refused, and told why', (prefix) => {
    const message = expect.stringContaining('must be lower-case letters, digits and -');
    expect(read(prefix)).toMatchObject({ kind: 'bad', problems: [{ name: 'ORDERTX_LEASE_PREFIX', message }] });
  });

  test('is refused where Leases’ names would be too long', () => {
    const message = expect.stringContaining('must be 48 characters at most');
    expect(read('a'.repeat(LEASE_PREFIX_MAX + 1))).toMatchObject({ kind: 'bad', problems: [{ message }] });
  });
});

test.each([
  ['ordertx-shard-0-of-3', { prefix: 'ordertx', shards: '3' }],
  ['ordertx-shard-0', { prefix: 'ordertx', shards: undefined }],
  ['west-ordertx-shard-12-of-64', { prefix: 'west-ordertx', shards: '64' }],
  ['x-shard-0-of-1-shard-2-of-3', { prefix: 'x-shard-0-of-1', shards: '3' }],
  ['ordertx-shard-0-of-3-old', undefined],
  ['ordertx-shard-of-3', undefined],
  ['-shard-0-of-3', undefined],
  ['cert-manager-controller', undefined],
])('%s is read as %j', (name, expected) => {
  expect(readLeaseName(name)).toEqual(expected);
});

test.each([
  ['its label', 'west-shard-0-of-1', 'west', { prefix: 'west', isMarked: true }],
  ['the only prefix there was without one', 'ordertx-shard-0-of-1', undefined, { prefix: 'ordertx', isMarked: false }],
  ['nothing, without a label', 'west-shard-0-of-1', undefined, undefined],
  ['nothing, with another’s label', 'west-shard-0-of-1', 'east', undefined],
  ['nothing, under a name that is none of a shard', 'west', 'west', undefined],
])('a Lease is an installation’s by %s', (_, name, label, expected) => {
  const labels = label === undefined ? {} : installationLabels(label);
  expect(installationOf({ name, labels })).toEqual(expected);
});
