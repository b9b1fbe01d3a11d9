/** The payment provider's signature. */
import { expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { judgeProviderCall, type SignedCall } from './signature.ts';

const SECRET = 'a secret of the provider';
const OLD_SECRET = 'the secret it had before';
const NOW_SECONDS = 1_800_000_000;
const BODY = '{"amountCents": 900}';

function sign(text: string, secret = SECRET): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

const GOOD = sign(`${NOW_SECONDS}.p1.${BODY}`);

function fault(changes: Partial<SignedCall>): string | undefined {
  const header = `t=${NOW_SECONDS},v1=${GOOD}`;
  const verdict = judgeProviderCall({
    ...{ header, secrets: [SECRET, OLD_SECRET], paymentId: 'p1', rawBody: BODY, nowMs: NOW_SECONDS * 1000 },
    ...changes,
  });
  return verdict.kind === 'good' ? undefined : verdict.detail;
}

test('of this payment, this body and about this time is good', () => {
  expect(fault({})).toBeUndefined();
  expect(fault({ nowMs: (NOW_SECONDS + 300) * 1000 })).toBeUndefined();
  expect(fault({ nowMs: (NOW_SECONDS - 300) * 1000 })).toBeUndefined();
  expect(fault({ header: `t=${NOW_SECONDS},v1=${GOOD.toUpperCase()}` })).toBeUndefined();
});

test('with the secret that is being replaced is good as long as it counts', () => {
  const header = `t=${NOW_SECONDS},v1=${sign(`${NOW_SECONDS}.p1.${BODY}`, OLD_SECRET)}`;
  expect(fault({ header })).toBeUndefined();
  expect(fault({ header, secrets: [SECRET] })).toContain('is not the signature');
});

test('of a call without a body is made over the empty text', () => {
  expect(fault({ rawBody: '', header: `t=${NOW_SECONDS},v1=${sign(`${NOW_SECONDS}.p1.`)}` })).toBeUndefined();
});

test.each<[string, Partial<SignedCall>, string]>([
  ['that is missing', { header: undefined }, 'is missing'],
  ['that is empty', { header: '' }, 'must be t='],
  ['in another form', { header: GOOD }, 'must be t='],
  ['that is cut', { header: `t=${NOW_SECONDS},v1=${GOOD.slice(1)}` }, 'must be t='],
  ['with something behind it', { header: `t=${NOW_SECONDS},v1=${GOOD},v1=${GOOD}` }, 'must be t='],
  ['with another secret', { secrets: ['another secret of somebody'] }, 'is not the signature'],
  ['of another payment', { paymentId: 'p2' }, 'is not the signature'],
  ['of another body', { rawBody: '{"amountCents": 901}' }, 'is not the signature'],
  ['of the same value in other characters', { rawBody: '{"amountCents":900}' }, 'is not the signature'],
  ['whose time was changed', { header: `t=${NOW_SECONDS + 1},v1=${GOOD}` }, 'is not the signature'],
  ['that is old', { nowMs: (NOW_SECONDS + 301) * 1000 }, 'more than 300 s old'],
  ['of the future', { nowMs: (NOW_SECONDS - 301) * 1000 }, 'more than 300 s ahead'],
])('%s is not good', (_, changes, reason) => {
  expect(fault(changes)).toContain(`Payment-Signature: `);
  expect(fault(changes)).toContain(reason);
});
