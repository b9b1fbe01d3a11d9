/** Where flows may send the controller, and where not; docs/reference/participant-protocol.md, "Who may make whom act". */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Endpoint } from '../../../crds/generated/transactionflow.ts';
import { parseAllowList, type AllowList } from './allow-list.ts';
import { resolveEndpoint } from './endpoint.ts';

const NOTHING: AllowList = { origins: new Set(), services: new Set() };

function resolve(endpoint: Endpoint, allowed: AllowList = NOTHING, path = '/tcc/pay-order') {
  const participant = { name: 'order', path, timeoutSeconds: 3, maxConcurrency: 64, endpoint };
  return resolveEndpoint(participant, 'shop', allowed);
}

function allow(...entries: string[]): AllowList {
  const result = parseAllowList(entries);
  if (result.kind === 'invalid') throw new Error(result.problems.join('\n'));
  return result.allowed;
}

describe("a service in the transaction's own namespace", () => {
  test('is called by its cluster name, with its own audience', () => {
    const expected = {
      kind: 'allowed',
      origin: 'http://order.shop.svc:8080',
      path: '/tcc/pay-order',
      audience: 'ordertx/order.shop',
    };
    expect(resolve({ service: { name: 'order', port: 8080 } })).toEqual(expected);
    expect(resolve({ service: { name: 'order', namespace: 'shop', port: 8080 } })).toEqual(expected);
  });
});

describe('a service in another namespace', () => {
  const endpoint = { service: { name: 'inventory', namespace: 'warehouse', port: 80 } };

  test('is forbidden, and the sentence says which entry would allow it', () => {
    expect(resolve(endpoint)).toEqual({
      kind: 'forbidden',
      detail:
        "is not called: its service inventory.warehouse is in another namespace: if that is meant, add inventory.warehouse to the controller's --allow-endpoints",
    });
  });

  test('is allowed when listed, whatever its port', () => {
    expect(resolve(endpoint, allow('inventory.warehouse'))).toMatchObject({
      origin: 'http://inventory.warehouse.svc:80',
      audience: 'ordertx/inventory.warehouse',
    });
    expect(resolve(endpoint, allow('order.warehouse', 'inventory.shop', 'http://inventory.warehouse.svc')).kind).toBe(
      'forbidden',
    );
  });
});

describe('a url', () => {
  test('is forbidden, and the sentence says which entry would allow it', () => {
    expect(resolve({ url: 'http://127.0.0.1:4001/' })).toEqual({
      kind: 'forbidden',
      detail:
        "is not called: its endpoint http://127.0.0.1:4001 is given by url: if that is meant, add http://127.0.0.1:4001 to the controller's --allow-endpoints",
    });
  });

  test('is forbidden also where it names a service of the own namespace', () => {
    expect(resolve({ url: 'http://order.shop.svc:8080' }, allow('order.shop')).kind).toBe('forbidden');
  });

  test('is allowed when its origin is listed, and keeps its path as a prefix', () => {
    expect(resolve({ url: 'http://127.0.0.1:4001' }, allow('http://127.0.0.1:4001'))).toEqual({
      kind: 'allowed',
      origin: 'http://127.0.0.1:4001',
      path: '/tcc/pay-order',
      audience: 'ordertx/127.0.0.1:4001',
    });
    expect(resolve({ url: 'https://Pay.example/v1/' }, allow('https://pay.example:443'))).toMatchObject({
      origin: 'https://pay.example',
      path: '/v1/tcc/pay-order',
      audience: 'ordertx/pay.example:443',
    });
    expect(resolve({ url: 'http://[::1]:4001' }, allow('http://[0:0:0:0:0:0:0:1]:4001'))).toMatchObject({
      audience: 'ordertx/[::1]:4001',
    });
  });

  test.each([
    'http://127.0.0.1:4002',
    'https://127.0.0.1:4001',
    'http://localhost:4001',
    'http://127.0.0.1:4001.evil.example',
    'http://127.0.0.1:4001@evil.example',
  ])('of another origin than the listed one is forbidden: %s', (url) => {
    expect(resolve({ url }, allow('http://127.0.0.1:4001')).kind).toBe('forbidden');
  });

  test.each([
    'ftp://127.0.0.1',
    'file:///etc/passwd',
    'http://',
    'nonsense',
    '',
    'http://127.0.0.1:4001?x=1',
    'http://127.0.0.1:4001#x',
    'http://user:pw@127.0.0.1:4001',
  ])('that is not plain http is forbidden: %j', (url) => {
    expect(resolve({ url }, allow('http://127.0.0.1:4001')).kind).toBe('forbidden');
  });
});

test.each(['evil.example/', 'evil.example:80#', 'order.other', 'user@evil', '', 'Order', '-order', 'a'.repeat(64)])(
  'a service name that is no DNS label is forbidden: %j',
  (name) => {
    expect(resolve({ service: { name, port: 80 } }).kind).toBe('forbidden');
    expect(resolve({ service: { name: 'order', namespace: name, port: 80 } }).kind).toBe('forbidden');
  },
);

test.each([
  '/a?b',
  '/a#b',
  '/a b',
  '/a/../b',
  '/..',
  '/./a',
  '/a//b',
  '/%2e%2e/a',
  '/a\r\nHost: evil',
  '',
  'a',
  '//evil.example/a',
])('a path that may be read in two ways is forbidden: %j', (path) => {
  expect(resolve({ service: { name: 'order', port: 80 } }, NOTHING, path).kind).toBe('forbidden');
});

test.each([
  ['/', ''],
  ['/tcc/', '/tcc'],
  ['/a.b/..c/-_~', '/a.b/..c/-_~'],
])('the path %s is called without a trailing slash', (path, called) => {
  expect(resolve({ service: { name: 'order', port: 80 } }, NOTHING, path)).toMatchObject({ path: called });
});

test('an endpoint with both or neither of service and url is forbidden', () => {
  expect(resolve({}).kind).toBe('forbidden');
  const both = { url: 'http://127.0.0.1:4001', service: { name: 'order', port: 80 } };
  expect(resolve(both, allow('http://127.0.0.1:4001')).kind).toBe('forbidden');
});

test('whatever a flow says, an unlisted host is never reached', () => {
  const text = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.domain(),
    fc.constantFrom('order', 'shop', 'http://127.0.0.1:4001'),
  );
  fc.assert(
    fc.property(text, text, text, fc.boolean(), (name, namespace, path, byUrl) => {
      const endpoint = byUrl ? { url: name } : { service: { name, namespace, port: 80 } };
      const result = resolve(endpoint, allow('http://127.0.0.1:4001'), path);
      if (result.kind === 'forbidden') return;
      const { hostname } = new URL(result.origin + result.path);
      expect(hostname === '127.0.0.1' || /^[a-z0-9-]+\.shop\.svc$/.test(hostname)).toBe(true);
    }),
  );
});

describe('the allow list', () => {
  test('takes origins and services, skips blanks, and reads URLs as URLs', () => {
    const allowed = allow(' http://127.0.0.1:4001 ', '', 'HTTP://Pay.Example:80', 'inventory.warehouse');
    expect([...allowed.origins]).toEqual(['http://127.0.0.1:4001', 'http://pay.example']);
    expect([...allowed.services]).toEqual(['inventory.warehouse']);
  });

  test('names every bad entry and the setting', () => {
    const bad = [
      'http://a/path',
      'http://*.example',
      'http://u:p@a',
      'http://a?x',
      'http://a?',
      'ftp://a',
      'http://',
      'inventory',
      'a.b.c',
      'A.b',
      '*.shop',
    ];
    const result = parseAllowList(['http://127.0.0.1:4001', ...bad]);
    if (result.kind !== 'invalid') throw new Error('it must be invalid');
    expect(result.problems).toHaveLength(bad.length);
    for (const [index, entry] of bad.entries()) {
      expect(result.problems[index]).toContain(`"${entry}"`);
      expect(result.problems[index]).toContain('--allow-endpoints');
    }
  });
});
