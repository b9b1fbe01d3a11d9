/** Whatever is scheduled, moved and deleted, keys come out once each and in the order of their moments. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DelayHeap } from './delay-heap.ts';

const command = fc.oneof(
  fc.record({ kind: fc.constant('schedule' as const), key: fc.nat(20), atMs: fc.nat(100) }),
  fc.record({ kind: fc.constant('delete' as const), key: fc.nat(20) }),
  fc.record({ kind: fc.constant('take' as const), nowMs: fc.nat(100) }),
);

test('the heap agrees with a plain map', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 300 }), (commands) => {
      const heap = new DelayHeap();
      const model = new Map<string, number>();
      for (const step of commands) {
        if (step.kind === 'schedule') {
          const key = String(step.key);
          heap.schedule(key, step.atMs);
          model.set(key, Math.min(step.atMs, model.get(key) ?? Infinity));
        } else if (step.kind === 'delete') {
          heap.delete(String(step.key));
          model.delete(String(step.key));
        } else {
          const earliestMs = Math.min(...model.values());
          const taken = heap.takeDue(step.nowMs);
          expect(taken !== undefined).toBe(earliestMs <= step.nowMs);
          if (taken === undefined) continue;
          expect(model.get(taken)).toBe(earliestMs);
          model.delete(taken);
        }
        expect(heap.size).toBe(model.size);
        expect(heap.earliestMs()).toBe(model.size === 0 ? undefined : Math.min(...model.values()));
      }
    }),
  );
});

test('keys that are moved and deleted over and over leave nothing behind', () => {
  const heap = new DelayHeap();
  for (let i = 0; i < 100_000; i += 1) {
    heap.schedule('a', 1_000_000 - i);
    heap.schedule(`b${i}`, i);
    heap.delete(`b${i}`);
  }
  expect(heap.size).toBe(1);
  expect(heap.takeDue(Infinity)).toBe('a');
  expect(heap.takeDue(Infinity)).toBeUndefined();
});
