/** A valid traceparent is passed on as it came; anything else starts a trace. */
import { expect, test } from '@jest/globals';
import { continuedOrNew } from './trace-parent.ts';

const VALID = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('a valid one is continued', () => {
  expect(continuedOrNew(VALID)).toBe(VALID);
});

test.each([
  undefined,
  '',
  VALID.toUpperCase(),
  `${VALID}-more`,
  VALID.replace('00-4', 'ff-4'),
  VALID.replace(/4bf.*36/, '0'.repeat(32)),
  VALID.replace(/00f.*b7/, '0'.repeat(16)),
])('%s gives way to a new one', (traceparent) => {
  const fresh = continuedOrNew(traceparent);
  expect(fresh).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(continuedOrNew(fresh)).toBe(fresh);
});
