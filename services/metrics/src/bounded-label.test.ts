/** What people choose makes a bounded number of series. */
import { expect, test } from '@jest/globals';
import { BoundedLabel, OTHERS } from './bounded-label.ts';

test('the first values are shown as they are, for good, and all others together', () => {
  const label = new BoundedLabel(2);
  expect(['a', 'b', 'c', 'a', 'd', 'b'].map((value) => label.of(value))).toEqual(['a', 'b', OTHERS, 'a', OTHERS, 'b']);
});
