/**
 * What reaches the fence and what does not: headers, whose branch it is, broken and huge bodies, tokens.
 *
 * A call that cannot be taken must leave the controller without an answer that ends anything: it then asks again and tells
 * people. So never 2xx, and never a 409 with a state.
 */
import { encodeDetail, HEADERS, type Operation } from '../../../services/protocol/src/index.ts';
import { namedAs, type Variation } from '../calls.ts';
import { advising, clientError, done, status, untaken } from '../expectations.ts';
import { cutOff, padded } from '../payload-texts.ts';
import { wayTo } from './cells.ts';
import { follow, sourceOf, type Check, type Finding, type Means, type Need, type Step } from './check.ts';

/** Far above any payload, and little enough to be sent in a moment. */
const HUGE_BYTES = 8 * 1024 * 1024;

const UNSTORED = 'store nothing for a call that was turned away';
const READ_BODY =
  'read or drop the body of a call that is turned away, or close the connection: the next call comes on it';

interface GuardCheck {
  readonly name: string;
  readonly section: number;
  readonly says: string;
  /** From a fresh branch, or from one that was tried. */
  readonly from: 'None' | 'Tried';
  readonly steps: readonly Step[];
}

function without(header: string): Variation {
  return { words: `without ${header}`, headers: () => ({ [header.toLowerCase()]: undefined }) };
}

function withHeader(header: string, value: string): Variation {
  return { words: `with ${header}: ${value}`, headers: () => ({ [header.toLowerCase()]: value }) };
}

const NAMELESS = untaken(
  '400',
  'answer 400 without doing anything: a call without its transaction’s name would be fenced as another one',
);
const MISDIRECTED = untaken('421', 'compare Ordertx-Branch with your own name, and answer 421 where it is another’s');
const CONTRADICTION = untaken('400', 'compare Ordertx-Operation with the path, and answer 400 where they differ');

const otherBranch: Variation = {
  words: 'with another Ordertx-Branch',
  headers: ({ transaction, name }, operation) => namedAs(transaction, `not-${name}`.slice(0, 63), operation),
};

const otherNamespace: Variation = {
  words: 'of another namespace',
  headers: ({ transaction, name }, operation) =>
    namedAs({ ...transaction, namespace: 'conformance-not-served' }, name, operation),
};

const strangeHeaders: Variation = {
  words: 'with headers nobody asked for',
  headers: () => ({ tracestate: 'a=1', baggage: 'b=2', 'x-request-id': 'c3', 'ordertx-later': 'from a later version' }),
};

/** Fills the header to its last character with what percent-encoding is for. */
const longDetail: Variation = {
  words: 'with an Ordertx-Detail of 504 characters',
  headers: () => ({ [HEADERS.reason]: 'Refused', [HEADERS.detail]: encodeDetail('品切れ'.repeat(100)) }),
};

/** Right after a call that was turned away, so that it comes on the same connection. */
const isNextTaken: Step = { operation: 'try', expect: advising(READ_BODY, done('Tried', READ_BODY)) };

const isTried: Step = { operation: 'try', expect: done('Tried', UNSTORED) };

const headerChecks: readonly GuardCheck[] = [
  {
    name: 'a call without Ordertx-Transaction is not taken',
    section: 2,
    says: 'every call carries Ordertx-Transaction, <namespace>/<name>',
    from: 'None',
    steps: [
      { operation: 'try', variation: without('Ordertx-Transaction'), expect: NAMELESS },
      isNextTaken,
      { operation: 'cancel', variation: without('Ordertx-Transaction'), expect: NAMELESS },
      isNextTaken,
    ],
  },
  {
    name: 'a call whose Ordertx-Transaction is not <namespace>/<name> is not taken',
    section: 2,
    says: 'Ordertx-Transaction is <namespace>/<name>',
    from: 'None',
    steps: [
      { operation: 'try', variation: withHeader('Ordertx-Transaction', 'no-slash'), expect: NAMELESS },
      { operation: 'try', variation: withHeader('Ordertx-Transaction', 'a/b/c'), expect: NAMELESS },
    ],
  },
  {
    name: 'a call whose Ordertx-Operation is not the path’s is not taken',
    section: 2,
    says: 'Ordertx-Operation is the last segment of the path again',
    from: 'Tried',
    steps: [
      { operation: 'confirm', variation: withHeader('Ordertx-Operation', 'cancel'), expect: CONTRADICTION },
      { operation: 'cancel', variation: withHeader('Ordertx-Operation', 'try'), expect: CONTRADICTION },
      isTried,
    ],
  },
  {
    name: 'a call without Ordertx-Branch is not taken',
    section: 2,
    says: 'every call carries Ordertx-Branch, the participant’s name in the flow',
    from: 'None',
    steps: [
      {
        operation: 'try',
        variation: without('Ordertx-Branch'),
        expect: untaken('400', 'answer 400 without doing anything'),
      },
    ],
  },
  {
    name: 'a call of another branch is not taken, and the next one is',
    section: 4,
    says: '421: not this service’s branch',
    from: 'None',
    steps: [
      { operation: 'try', variation: otherBranch, expect: MISDIRECTED },
      isNextTaken,
      { operation: 'cancel', variation: otherBranch, expect: MISDIRECTED },
      isNextTaken,
    ],
  },
  {
    name: 'a transaction of a namespace that is not served is 403',
    section: 3,
    says: 'a participant answers 403 to transactions of namespaces that it does not serve',
    from: 'None',
    steps: (['try', 'confirm', 'cancel'] as const).map((operation) => ({
      operation,
      variation: otherNamespace,
      expect: status(403, 'let the namespaces that may call be set, and answer 403 to all others'),
    })),
  },
  {
    name: 'headers that nobody asked for are ignored',
    section: 2,
    says: 'the headers of a call; others may be added on the way',
    from: 'None',
    steps: (['try', 'confirm'] as const).map((operation) => ({
      operation,
      variation: strangeHeaders,
      expect: done(operation === 'try' ? 'Tried' : 'Confirmed', 'ignore headers that you do not know'),
    })),
  },
  {
    name: 'a retry with another attempt number and span is the same call',
    section: 2,
    says: 'Ordertx-Attempt is for logs only; attempt, span id and token of a retry may differ',
    from: 'Tried',
    steps: [
      {
        operation: 'try',
        variation: withHeader('Ordertx-Attempt', '4711'),
        expect: done('Tried', 'tell calls apart by transaction, branch and operation only'),
      },
    ],
  },
  {
    name: 'a reason and a long detail in any script are taken on cancel',
    section: 2,
    says: 'Ordertx-Detail is percent-encoded UTF-8 of at most 512 characters after encoding',
    from: 'Tried',
    steps: [
      {
        operation: 'cancel',
        variation: longDetail,
        expect: done('Cancelled', 'take header lines of 1 kB, and decode the detail as percent-encoded UTF-8'),
      },
    ],
  },
];

const bodyChecks: readonly GuardCheck[] = [
  {
    name: 'broken JSON on try is 4xx and no refusal: the try after it runs',
    section: 4,
    says: '409 with a state is a business no, for good; a body that cannot be read is none',
    from: 'None',
    steps: [
      brokenJson('try'),
      { operation: 'try', expect: done('Tried', `${UNSTORED}: a body that broke off on the way comes again whole`) },
    ],
  },
  {
    name: 'broken JSON on confirm is 4xx and no refusal: the confirm after it runs',
    section: 4,
    says: '409 with a state is a business no, for good; a body that cannot be read is none',
    from: 'Tried',
    steps: [brokenJson('confirm'), { operation: 'confirm', expect: done('Confirmed', UNSTORED) }],
  },
];

function brokenJson(operation: Operation): Step {
  const variation = { words: 'with broken JSON', body: cutOff };
  return { operation, variation, expect: clientError('answer 400, store nothing') };
}

function guardCheck({ name, section, says, from, steps }: GuardCheck): Check {
  return {
    ...{ name, section, says },
    needs: ['payload'] satisfies Need[],
    run: (means) => {
      const { branch, lead } = wayTo(from, means);
      return follow(means.bench, branch, steps, lead);
    },
  };
}

const hugeBody: Check = {
  name: 'a huge body is turned away unread, and the service lives on',
  section: 2,
  says: 'a payload has at most 65536 bytes: what is far larger is no call of the controller’s',
  needs: ['payload'],
  run: async (means) => {
    const { bench } = means;
    const branch = bench.begin(sourceOf(means, 'payload'));
    const variation = { words: `with a body of ${HUGE_BYTES} bytes`, body: padded(HUGE_BYTES) };
    const answer = await bench.call(branch, 'try', variation);
    const expect = clientError('bound what is read of a body (128 kB is plenty), and answer 413');
    const fault = expect.faultOf(answer);
    // Whoever closes the connection without reading on is bounded too; the answer may then be lost on the way.
    const isClosed = answer.kind === 'none' && answer.why === 'broken';
    if (fault !== undefined && !isClosed) {
      return {
        kind: 'wrong',
        call: `try ${variation.words}`,
        expected: `${expect.words}, or a closed connection`,
        ...fault,
      };
    }
    return follow(bench, branch, [
      { operation: 'try', expect: done('Tried', 'live on after a huge body, and store nothing for it') },
    ]);
  },
};

const UNAUTHORIZED = status(
  401,
  'check signature, issuer, audience, expiry and subject of the token on every call, and answer 401',
);

/** A token whose signature is not that of its contents, and one that wants none. */
function forged(token: string): readonly (readonly [words: string, token: string])[] {
  const [header, claims, signature] = token.split('.');
  if (header === undefined || claims === undefined || signature === undefined) return [];
  const bent = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
  const unsigned = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
  return [
    ['with a token whose signature is bent', `${header}.${claims}.${bent}`],
    ['with a token that claims to need no signature', `${unsigned}.${claims}.`],
  ];
}

function authorizedBy(words: string, authorization: string | undefined): Variation {
  return { words, headers: () => ({ authorization }) };
}

async function turnsAway(means: Means, variations: readonly Variation[]): Promise<Finding> {
  const { branch, lead } = wayTo('Tried', means);
  const turnedAway = variations.flatMap((variation) =>
    (['try', 'confirm', 'cancel'] as const).map((operation) => ({ operation, variation, expect: UNAUTHORIZED })),
  );
  return follow(means.bench, branch, [...turnedAway, isTried], lead);
}

const tokenChecks: readonly Check[] = [
  {
    name: 'a call without a token is 401 and changes nothing',
    section: 3,
    says: 'a call without a good token is 401',
    needs: ['token', 'payload'],
    run: (means) => turnsAway(means, [authorizedBy('without a token', undefined)]),
  },
  {
    name: 'a call with a token that is no good is 401 and changes nothing',
    section: 3,
    says: 'the participant checks signature, issuer, audience, expiry and subject',
    needs: ['token', 'payload'],
    run: (means) =>
      turnsAway(means, [
        authorizedBy('with a token that is garbage', 'Bearer garbage'),
        authorizedBy('with another scheme', 'Basic dXNlcjpwYXNz'),
        ...forged(means.token ?? '').map(([words, token]) => authorizedBy(words, `Bearer ${token}`)),
      ]),
  },
];

export const guardChecks: readonly Check[] = [
  ...[...headerChecks, ...bodyChecks].map(guardCheck),
  hugeBody,
  ...tokenChecks,
];
