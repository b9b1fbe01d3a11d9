/** Whose messages count for a service that follows the shop's orders. */
import { expect, test } from '@jest/globals';
import { checkFollowerSettings, shopNamespaceOf } from './service-settings.ts';

const NAMES = ['shop', 'twin'];

test.each([
  [undefined, ['shop'], 'shop'],
  ['shop', ['shop'], 'shop'],
  ['twin', NAMES, 'twin'],
])('named %s beside %j it is %s', (shopNamespace, namespaces, expected) => {
  expect(checkFollowerSettings({ shopNamespace, namespaces })).toEqual([]);
  expect(shopNamespaceOf({ shopNamespace, namespaces })).toBe(expected);
});

test.each([
  [undefined, NAMES, 'ORDERTX_NAMESPACE', /names several/],
  ['elsewhere', NAMES, 'ORDERTX_NAMESPACES', /must name elsewhere as well/],
])(
  'named %s beside %j it is a bad setting, by the name of the one to change',
  (shopNamespace, namespaces, name, message) => {
    expect(checkFollowerSettings({ shopNamespace, namespaces })).toEqual([
      { name, message: expect.stringMatching(message) },
    ]);
  },
);
