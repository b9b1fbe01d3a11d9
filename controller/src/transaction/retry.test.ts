/** Delays and due times over everything a flow, a participant or another controller's clock may say. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anyCharacter } from '../../../tests/world/any-character.ts';
import type { Retry } from '../../../crds/generated/transactionflow.ts';
import { storedRetryToken } from './requests.ts';
import { askedForDelayMs, dueMs, longestDelayMs, republishDelayMs, retryDelayMs } from './retry.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 10);
const retry = fc.record<Retry>({
  initialDelaySeconds: fc.double({ min: 0.01, max: 60, noNaN: true }),
  maxDelaySeconds: fc.double({ min: 1, max: 3600, noNaN: true }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
});
const attempts = fc.integer({ min: 1, max: 100_000 });
const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('a wish for a delay', () => {
  test('is honoured up to the longest delay, which nothing exceeds', () => {
    const wish = fc.oneof(fc.integer({ min: 1, max: 10_000_000 }), fc.double());
    fc.assert(
      fc.property(retry, attempts, jitter, wish, (policy, count, random, wishMs) => {
        const delayMs = askedForDelayMs(policy, count, wishMs, random);
        const longestMs = policy.maxDelaySeconds * 1000;
        expect(delayMs).toBeGreaterThan(0);
        expect(delayMs).toBeLessThanOrEqual(Math.ceil(longestMs));
        if (wishMs > 0) expect(delayMs).toBeGreaterThanOrEqual(Math.floor(Math.min(wishMs, longestMs * 0.75)));
      }),
    );
  });

  test.each([0, -5, NaN, -Infinity])('of %d is none: the back-off holds', (wishMs) => {
    const policy = { initialDelaySeconds: 0.2, maxDelaySeconds: 60, factor: 2 };
    for (const count of [1, 5, 50])
      expect(askedForDelayMs(policy, count, wishMs, 0.3)).toBe(retryDelayMs(policy, count, 0.3));
  });
});

describe('a stored time of the next attempt', () => {
  test('that this controller could have written is waited for', () => {
    fc.assert(
      fc.property(retry, attempts, jitter, (policy, count, random) => {
        for (const delayMs of [retryDelayMs, republishDelayMs].map((delay) => delay(policy, count, random))) {
          const stored = new Date(NOW_MS + delayMs).toISOString();
          expect(dueMs(stored, policy, NOW_MS)).toBe(Date.parse(stored));
        }
        const longest = new Date(NOW_MS + longestDelayMs(policy, random)).toISOString();
        expect(dueMs(longest, policy, NOW_MS)).toBe(Date.parse(longest));
      }),
    );
  });

  test('is never waited for much longer than the longest delay, whoever wrote it', () => {
    const stored = fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.string(),
    );
    fc.assert(
      fc.property(retry, stored, (policy, text) => {
        const waitMs = dueMs(text, policy, NOW_MS) - NOW_MS;
        expect(waitMs).toBeLessThanOrEqual(policy.maxDelaySeconds * 1000 + 5_000);
      }),
    );
  });
});

test('whatever is in the annotation, its token fits the schema, and two annotations have two tokens', () => {
  const text = fc.oneof(
    fc.string({ unit: anyCharacter, maxLength: 400 }),
    fc.integer({ min: 0, max: 400 }).map((length) => ' '.repeat(length)),
    fc.string({ unit: anyCharacter, maxLength: 5 }).map((end) => `${'x'.repeat(300)}${end}`),
  );
  fc.assert(
    fc.property(text, text, (one, other) => {
      const token = storedRetryToken(one);
      expect([...token].length).toBeLessThanOrEqual(128);
      expect(token === storedRetryToken(other)).toBe(one === other);
      if ([...one].length <= 128) expect(token).toBe(one);
    }),
    { numRuns: 1_000 },
  );
});
