/** What a person is told to do. */
import { expect, test } from '@jest/globals';
import { nextStepFor, type Ailment } from './incident.ts';

const AILMENT: Ailment = {
  ...{ namespace: 'shop', flow: 'create-order', target: 'order', operation: 'confirm', isSuspended: false },
  ...{ reason: 'ConfirmRefused', sentence: '' },
};

test.each([
  [
    'the confirm at order is not done: refused: it was never tried. Next: it is asked again',
    /^make order agree .* then settle it here$/,
  ],
  [
    'the confirm at order is not done: answered 503: is it running? Next: it is asked again',
    /^mend order, then retry; one that refused/,
  ],
])('after a refusal, of "%s": to settle by hand only what has refused', (sentence, step) => {
  expect(nextStepFor({ ...AILMENT, sentence })).toMatch(step);
});
