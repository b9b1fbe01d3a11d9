/**
 * What the payload may decide: whether a try or confirm is the same one again. Never whether a cancel gets through.
 */
import type { Operation, StoredState } from '../../../services/protocol/src/index.ts';
import type { Variation } from '../calls.ts';
import { done, refusal } from '../expectations.ts';
import { another, cutOff, noBody, padded, spelledOtherwise, type Text } from '../payload-texts.ts';
import { follow, type Check, type Step } from './check.ts';
import { needsOf, wayTo, type Place } from './cells.ts';

/** The largest payload that the controller sends (section 2). */
const PAYLOAD_BYTES_MAX = 65_536;

const ANOTHER: Variation = { words: 'with another payload', body: another };

const COMPARE =
  'keep a digest of the canonical payload in the fence’s row, and compare it on try and confirm before anything else';
const UNCHANGED = 'change nothing for a call with another payload';
const CANONICAL =
  'compare the canonical JSON (RFC 8785), not the text that came: member order, white space and number spelling do not count';
const ALWAYS_CANCEL = 'let a cancel through whatever it carries, and undo what was tried: never read its body first';

function mismatch(state: StoredState) {
  return refusal(['payload-mismatch'], state, COMPARE);
}

/** A cancelled branch may have dropped the digest: then it says that it is cancelled, which is as true. */
const CANCELLED_OR_MISMATCH: Readonly<Record<'try' | 'confirm', Step['expect']>> = {
  try: refusal(['payload-mismatch', 'cancelled'], 'Cancelled', COMPARE),
  confirm: refusal(['payload-mismatch', 'already-cancelled'], 'Cancelled', COMPARE),
};

const SAYS_MISMATCH = 'another payload under the same (transaction, branch) is 409 payload-mismatch on try and confirm';
const SAYS_CANCEL = 'never on cancel, which must always be possible';

function check(name: string, says: string, place: Place, steps: readonly Step[], section = 5): Check {
  return {
    ...{ name, section, says },
    needs: needsOf(place),
    run: (means) => {
      const { branch, lead } = wayTo(place, means);
      return follow(means.bench, branch, steps, lead);
    },
  };
}

function refusesAnother(place: Exclude<StoredState, 'Cancelled'>, operation: 'try' | 'confirm', then: Step): Check {
  return check(
    `another payload on ${operation} of a ${place} branch is refused, payload-mismatch, and changes nothing`,
    SAYS_MISMATCH,
    place,
    [{ operation, variation: ANOTHER, expect: mismatch(place), repeated: true }, then],
  );
}

const still = {
  Tried: { operation: 'try', expect: done('Tried', UNCHANGED) },
  Refused: { operation: 'try', expect: refusal(['refused'], 'Refused', UNCHANGED) },
  Confirmed: { operation: 'confirm', expect: done('Confirmed', UNCHANGED) },
} as const satisfies Record<string, Step>;

/** A cancel that carries this is done. */
function letsCancelThrough(place: Place, what: string, body: Text, headers?: Variation['headers']): Check {
  const cancel = {
    operation: 'cancel' as Operation,
    variation: { words: what, body, ...(headers === undefined ? {} : { headers }) },
    expect: done('Cancelled', ALWAYS_CANCEL),
    repeated: true,
  } as const;
  const where = place === 'None' ? 'a branch that was never tried' : `a ${place} branch`;
  return check(`a cancel ${what} of ${where} is done`, SAYS_CANCEL, place, [cancel]);
}

const withoutBody: Variation['headers'] = () => ({ 'content-type': undefined });

export const payloadChecks: readonly Check[] = [
  refusesAnother('Tried', 'try', still.Tried),
  refusesAnother('Tried', 'confirm', still.Tried),
  refusesAnother('Refused', 'try', still.Refused),
  refusesAnother('Refused', 'confirm', still.Refused),
  refusesAnother('Confirmed', 'try', still.Confirmed),
  refusesAnother('Confirmed', 'confirm', still.Confirmed),
  check('another payload on try and confirm of a Cancelled branch is refused', SAYS_MISMATCH, 'Cancelled', [
    { operation: 'try', variation: ANOTHER, expect: CANCELLED_OR_MISMATCH.try, repeated: true },
    { operation: 'confirm', variation: ANOTHER, expect: CANCELLED_OR_MISMATCH.confirm, repeated: true },
  ]),
  check(
    'a payload spelt in another way (RFC 8785) is the same payload, on try and confirm',
    'the payload is compared by a digest of its RFC 8785 canonical JSON',
    'Tried',
    [
      { operation: 'try', variation: spelt(), expect: done('Tried', CANONICAL) },
      { operation: 'confirm', variation: spelt(), expect: done('Confirmed', CANONICAL) },
    ],
  ),
  check(
    'a body of 65536 bytes is taken, on try and confirm',
    'a payload may have 65536 bytes as JSON',
    'Tried',
    [
      { operation: 'try', variation: large(), expect: done('Tried', 'take bodies of 64 kB') },
      { operation: 'confirm', variation: large(), expect: done('Confirmed', 'take bodies of 64 kB') },
    ],
    2,
  ),
  letsCancelThrough('Tried', 'with another payload', another),
  letsCancelThrough('Refused', 'with another payload', another),
  letsCancelThrough('Tried', 'with a body that is broken JSON', cutOff),
  letsCancelThrough('None', 'with a body that is broken JSON', cutOff),
  letsCancelThrough('Tried', 'without a body', noBody, withoutBody),
  letsCancelThrough('None', 'without a body', noBody, withoutBody),
  letsCancelThrough('Tried', 'with a body that is no object', () => 'null'),
];

function spelt(): Variation {
  return { words: 'with the payload spelt in another way', body: spelledOtherwise };
}

function large(): Variation {
  return { words: 'with a body of 65536 bytes', body: padded(PAYLOAD_BYTES_MAX) };
}
