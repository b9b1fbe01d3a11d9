/** What the controller says of CRDs that do not fit, and when it begins. */
import { beforeEach, expect, test } from '@jest/globals';
import { ManualClock, settle } from '../runtime/manual-clock.ts';
import { InstalledSchemas } from './installed-schemas.ts';
import type { ApiAnswer, ApiRequest } from './transport.ts';

const FLOWS = 'transactionflows.ordertx.dev';
const TRANSACTIONS = 'ordertransactions.ordertx.dev';
const FITS = marked('3-beef');
const REMEDY = 'apply the CRDs (crds/) of version 1.2.3';

let clock: ManualClock;
let installed: Record<string, ApiAnswer<unknown>>;
let asked: ApiRequest[];
let lines: string[];
let looks: [string, boolean][];
let schemas: InstalledSchemas;
let hasBegun: boolean;

function marked(mark?: string): ApiAnswer<unknown> {
  const annotations = mark === undefined ? {} : { 'ordertx.dev/schema': mark };
  return { kind: 'ok', body: { metadata: { annotations } } };
}

const refused = (status: number, message: string): ApiAnswer<unknown> => ({
  kind: 'error',
  error: { status, reason: '', message },
});

beforeEach(() => {
  clock = new ManualClock();
  installed = { [TRANSACTIONS]: FITS, [FLOWS]: FITS };
  [asked, lines, looks, hasBegun] = [[], [], [], false];
  const line = (_about: object, text: string): void => void lines.push(text);
  schemas = new InstalledSchemas({
    transport: {
      request: <T>(request: ApiRequest) => {
        asked.push(request);
        return Promise.resolve(installed[request.path.split('/').at(-1) ?? ''] as ApiAnswer<T>);
      },
    },
    ...{ clock, log: { debug: line, info: line, warn: line, error: line } },
    needed: new Map([
      [TRANSACTIONS, { revision: 3, digest: 'beef' }],
      [FLOWS, { revision: 3, digest: 'beef' }],
    ]),
    version: '1.2.3',
    onLook: (crd, fits) => looks.push([crd, fits]),
  });
  void schemas.whenFit().then(() => (hasBegun = true));
});

async function start(): Promise<void> {
  schemas.start();
  await settle();
}

test('work begins at once where both CRDs fit, and only their metadata was asked for', async () => {
  expect(schemas.waitsFor()).toHaveLength(2);
  await start();
  expect(hasBegun).toBe(true);
  expect(schemas.waitsFor()).toEqual([]);
  expect(asked.map(({ path, isMetadataOnly }) => [path, isMetadataOnly])).toEqual(
    [TRANSACTIONS, FLOWS].map((crd) => [`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd}`, true]),
  );
  expect(lines).toEqual([]);
});

test('work begins on a newer CRD', async () => {
  installed[FLOWS] = marked('4-f00d');
  await start();
  expect(hasBegun).toBe(true);
});

test.each<[string, ApiAnswer<unknown>, string]>([
  [
    'is older',
    marked('2-beef'),
    `the CRD ${FLOWS} is older than this controller: its schema is revision 2, and 3 is needed: ${REMEDY}`,
  ],
  [
    'has no mark',
    marked(),
    `the CRD ${FLOWS} is older than this controller: its schema has no revision (annotation ordertx.dev/schema), and 3 is needed: ${REMEDY}`,
  ],
  [
    'is another of the same number',
    marked('3-f00d'),
    `the CRD ${FLOWS} has another schema than this controller's, though both call theirs revision 3: ${REMEDY}`,
  ],
  ['is missing', refused(404, 'not found'), `the CRD ${FLOWS} is not installed: ${REMEDY}`],
  [
    'may not be read',
    refused(403, 'forbidden'),
    `the CRD ${FLOWS} may not be read by this controller's account: give it a ClusterRole with the verb get on customresourcedefinitions.apiextensions.k8s.io, resourceNames [${FLOWS}]`,
  ],
  ['cannot be read', refused(500, 'etcd is away'), `the CRD ${FLOWS} cannot be read: etcd is away`],
  [
    'was not answered for',
    { kind: 'unanswered', message: 'the API server did not answer in time' },
    `the CRD ${FLOWS} has not been read yet: the API server did not answer in time`,
  ],
])('while one %s no work begins and a sentence says so; once it fits, it does', async (_what, answer, sentence) => {
  installed[FLOWS] = answer;
  await start();
  await clock.advance(60_000);
  expect(hasBegun).toBe(false);
  expect(schemas.waitsFor()).toEqual([sentence]);
  expect(lines).toEqual([`${sentence}; no work begins before that`]);
  expect(looks).toContainEqual([FLOWS, false]);
  expect(looks).not.toContainEqual([TRANSACTIONS, false]);

  installed[FLOWS] = FITS;
  await clock.advance(1_000);
  expect(hasBegun).toBe(true);
  expect(schemas.waitsFor()).toEqual([]);
  expect(lines.at(-1)).toBe('the CRD fits this controller by now');
});

test('a CRD that goes back stops no work: it is told once, and measured until it fits again', async () => {
  await start();
  installed[TRANSACTIONS] = marked('2-beef');
  looks = [];
  await clock.advance(900_000);
  expect(schemas.waitsFor()).toEqual([]);
  expect(looks).toContainEqual([TRANSACTIONS, false]);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/revision 2, and 3 is needed.*work goes on/);

  installed[TRANSACTIONS] = FITS;
  looks = [];
  await clock.advance(300_000);
  expect(looks).toContainEqual([TRANSACTIONS, true]);
});

test('what cannot be read later is no news', async () => {
  await start();
  looks = [];
  installed[FLOWS] = { kind: 'unanswered', message: 'the API server did not answer in time' };
  await clock.advance(300_000);
  expect([schemas.waitsFor(), lines]).toEqual([[], []]);
  expect(looks).toEqual([[TRANSACTIONS, true]]);
});

test('no work begins any more once it was stopped', async () => {
  installed[FLOWS] = marked();
  await start();
  const stopped = schemas.stop();
  installed[FLOWS] = FITS;
  await clock.advance(60_000);
  await stopped;
  expect(hasBegun).toBe(false);
  expect(clock.timersWaiting).toBe(0);
});
