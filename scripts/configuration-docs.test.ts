/**
 * The configuration reference says of every setting what a reader has to know.
 */
import { describe, expect, test } from '@jest/globals';

import { renderConfiguration, type DocumentedSetting } from './configuration-docs.ts';

function rowOf(setting: Partial<DocumentedSetting>): string | undefined {
  const settings = [{ name: 'PORT', description: 'Where it listens.', ...setting }];
  const page = renderConfiguration([{ title: 'Service', introduction: 'It:', settings }]);
  return page.split('\n').find((line) => line.startsWith('| `'));
}

describe('the configuration reference', () => {
  test('gives a default as it would stand in the environment', () => {
    expect(rowOf({ default: '8080' })).toBe('| `PORT` | `8080` | Where it listens. |');
    expect(rowOf({ default: '' })).toBe('| `PORT` | empty | Where it listens. |');
  });

  test('tells required settings from those that may be left out', () => {
    expect(rowOf({})).toContain('| **required** |');
    expect(rowOf({ optional: true })).toContain('| not set |');
  });

  test('says which are secret', () => {
    expect(rowOf({ secret: true })).toContain('Secret: never printed.');
  });

  test('keeps its table whole, whatever a description says', () => {
    expect(rowOf({ description: 'on|off,\n<service>.' })).toBe('| `PORT` | **required** | on\\|off, &lt;service>. |');
  });

  test('has every process, and no setting twice in a section', () => {
    const page = renderConfiguration();
    expect(page.match(/^## .*$/gm)).toEqual([
      ...['## Controller', '## Every service', '## Participants: order, inventory', '## All but inventory'],
      ...['## Dispatch, wms, member', '## Order', '## Payment', '## Notification', '## Reconcile'],
    ]);
    for (const section of page.split(/^## /m).slice(1)) {
      const names = [...section.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
      expect(names.length).toBeGreaterThan(0);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  test('reads the same on every machine', () => {
    expect(renderConfiguration()).not.toContain(`-${process.pid}`);
  });
});
