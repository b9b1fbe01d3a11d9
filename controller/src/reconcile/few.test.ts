/** They behave as Set and Map do, whatever is done to them. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bytesHeldBy } from '../runtime/testing/garbage.ts';
import { FewMap, FewSet } from './few.ts';

const names = fc.constantFrom('a', 'b', 'c');

test('a set of few is a Set', () => {
  const act = fc.tuple(fc.constantFrom('add' as const, 'delete' as const, 'clear' as const), names);
  fc.assert(
    fc.property(fc.array(act), (acts) => {
      const [few, all] = [new FewSet<string>(), new Set<string>()];
      for (const [what, name] of acts) {
        if (what === 'delete') expect(few.delete(name)).toBe(all.delete(name));
        else if (what === 'add') [few, all].forEach((each) => void each.add(name));
        else [few, all].forEach((each) => each.clear());
        expect([...few]).toEqual([...all]);
        expect([few.size, few.has(name)]).toEqual([all.size, all.has(name)]);
      }
    }),
  );
});

test('what is added or deleted while it is walked through changes nothing about the walk', () => {
  const few = new FewSet<string>();
  few.add('a');
  few.add('b');
  const walked: string[] = [];
  for (const each of few) {
    walked.push(each);
    few.delete('b');
    few.add('c');
  }
  expect(walked).toEqual(['a', 'b']);
  expect([...few]).toEqual(['a', 'c']);
});

test('a map of few is a Map', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, fc.option(fc.nat()))), (acts) => {
      const [few, all] = [new FewMap<number>(), new Map<string, number>()];
      for (const [name, value] of acts) {
        expect(few.get(name)).toBe(all.get(name));
        if (value === null) expect(few.delete(name)).toBe(all.delete(name));
        else [few, all].forEach((each) => void each.set(name, value));
        expect([...few]).toEqual([...all]);
        expect(few.keys()).toEqual([...all.keys()]);
        expect(few.values()).toEqual([...all.values()]);
        expect([few.size, few.has(name)]).toEqual([all.size, all.has(name)]);
      }
    }),
  );
});

test('one with an entry has no room for more', () => {
  const count = 20_000;
  const sets = () =>
    Array.from({ length: count }, () => {
      const few = new FewSet<string>();
      few.add('inventory');
      return few;
    });
  const maps = () =>
    Array.from({ length: count }, () => {
      const few = new FewMap<number>();
      few.set('inventory', 1);
      few.set('order', 2);
      few.delete('order');
      return few;
    });
  // An object, its array of one, and for a map the pair: 95 and 160; with room for 16 more 210 and 300.
  const [ofASet, ofAMap] = [bytesHeldBy(sets) / count, bytesHeldBy(maps) / count];
  expect(ofASet).toBeLessThan(150);
  expect(ofASet).toBeGreaterThan(50);
  expect(ofAMap).toBeLessThan(230);
  expect(ofAMap).toBeGreaterThan(80);
});
