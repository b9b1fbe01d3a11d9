/** What is malformed is refused when it is created, in a sentence that names the field and what is expected. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiServer } from '../../local/control-plane/api.ts';
import { freshNamespace } from '../world/world.ts';
import { collectionPath, connectAsAdmin, manifest, verdictOf, type Verdict } from './stored-transaction.ts';

let api: ApiServer;
let namespace: string;
beforeAll(async () => {
  api = connectAsAdmin();
  namespace = await freshNamespace('malformed');
});
afterAll(() => api.close());

const refused = (says: RegExp) => ({ kind: 'refused', status: 422, message: expect.stringMatching(says) });

describe('a transaction', () => {
  const create = async (spec: object): Promise<Verdict> =>
    verdictOf(await api.request('POST', collectionPath(namespace), manifest('t', { ...spec })));

  test.each<[string, object, RegExp]>([
    ['without flow', { flow: undefined }, /spec\.flow: Required value/],
    ['without orderId', { orderId: undefined }, /spec\.orderId: Required value/],
    ['without payload', { payload: undefined }, /spec\.payload: Required value/],
    [
      'whose flow is no DNS label',
      { flow: 'Create Order' },
      /spec\.flow: .*flow must be the name of a TransactionFlow/,
    ],
    ['whose flow has a dot', { flow: 'create.order' }, /lower-case letters, digits and hyphens, not at an end/],
    ['with an empty orderId', { orderId: '' }, /spec\.orderId: .*orderId/],
    ['whose orderId has capitals', { orderId: 'O1001' }, /orderId must be lower-case letters, digits and hyphens/],
    ['whose orderId ends in a hyphen', { orderId: 'o1-' }, /orderId must be lower-case letters, digits and hyphens/],
    ['whose orderId has a line break', { orderId: 'o1\n' }, /orderId must be lower-case letters, digits and hyphens/],
    ['whose orderId is too long', { orderId: 'o'.repeat(64) }, /spec\.orderId: Too long: may not be more than 63/],
    ['whose orderId is a number', { orderId: 1001 }, /spec\.orderId .*must be of type string/],
    ['whose payload is a text', { payload: 'o1001' }, /spec\.payload .*must be of type object/],
    ['whose payload is a list', { payload: [1] }, /spec\.payload .*must be of type object/],
    ['whose payload is null', { payload: null }, /spec\.payload/],
    ['whose suspend is a text', { suspend: 'yes' }, /spec\.suspend .*must be of type boolean/],
    [
      'that begins with a resolution',
      { resolutions: [{ target: 'order', as: 'Confirmed', reason: 'early' }] },
      /a resolution needs a stored decision/,
    ],
  ])('%s is refused', async (_, spec, says) => {
    expect(await create(spec)).toMatchObject(refused(says));
  });

  test('a resolution needs a target, an outcome that exists and a reason', async () => {
    const verdict = await create({ resolutions: [{ target: '', as: 'Done', reason: '' }] });
    expect(verdict).toMatchObject(refused(/resolutions\[0\]\.as: Unsupported value: "Done": supported values: /));
    expect(verdict).toMatchObject(refused(/resolutions\[0\]\.target/));
    expect(verdict).toMatchObject(refused(/resolutions\[0\]\.reason/));
  });

  test('a status that is given at creation is not stored', async () => {
    const given = { ...manifest('born'), status: { phase: 'Succeeded', decision: 'Confirm' } };
    const verdict = verdictOf(await api.request('POST', collectionPath(namespace), given));
    expect(verdict).toMatchObject({ kind: 'accepted' });
    expect(verdict).not.toMatchObject({ object: { status: expect.anything() } });
  });
});

describe('a flow', () => {
  const participant = { name: 'order', path: '/tcc/x', endpoint: { service: { name: 'order', port: 8080 } } };
  const message = { name: 'lock', when: 'Confirmed', stream: 'wms', type: 'stock.lock' };
  const flow = (name: string, spec: object) => ({
    apiVersion: 'ordertx.dev/v1alpha1',
    kind: 'TransactionFlow',
    metadata: { name },
    spec: { participants: [participant], ...spec },
  });
  const create = async (spec: object, name = 'f'): Promise<Verdict> =>
    verdictOf(await api.request('POST', collectionPath(namespace, 'transactionflows'), flow(name, spec)));
  const withParticipant = (change: object) => ({ participants: [{ ...participant, ...change }] });
  const withMessage = (change: object) => ({ messages: [{ ...message, ...change }] });
  const exactlyOne = /an endpoint is exactly one of url and service/;

  test.each<[string, object, RegExp]>([
    ['without participants', { participants: undefined }, /spec\.participants: Required value/],
    ['with no participant', { participants: [] }, /participants in body should have at least 1 items/],
    ['with a participant twice', { participants: [participant, participant] }, /participants\[1\]: Duplicate value/],
    ['whose participant has capitals', withParticipant({ name: 'Order' }), /a participant's name must be lower-case/],
    ['with an endpoint of nothing', withParticipant({ endpoint: {} }), exactlyOne],
    [
      'with an endpoint of both kinds',
      withParticipant({ endpoint: { url: 'http://order', service: { name: 'order' } } }),
      exactlyOne,
    ],
    ['with a url of another kind', withParticipant({ endpoint: { url: 'ftp://order' } }), /url must be http:\/\//],
    ['with a password in a url', withParticipant({ endpoint: { url: 'http://a:b@order' } }), /without user, query/],
    ['with a query in a url', withParticipant({ endpoint: { url: 'http://order?a=b' } }), /without user, query/],
    ["with a slash at a url's end", withParticipant({ endpoint: { url: 'http://order/' } }), /or trailing slash/],
    ['with a port that is none', withParticipant({ endpoint: { service: { name: 'order', port: 0 } } }), /\.port/],
    ['with a relative path', withParticipant({ path: 'tcc' }), /path must begin with a slash/],
    ['with a query in a path', withParticipant({ path: '/tcc?x=1' }), /path must begin with a slash/],
    [
      'with a time-out of nothing',
      withParticipant({ timeoutSeconds: 0 }),
      /participants\[0\]\.timeoutSeconds.* at least 0\.05/,
    ],
    ['with a first delay of nothing', { retry: { initialDelaySeconds: 0 } }, /initialDelaySeconds.* at least 0\.01/],
    [
      'with no delay at all',
      { retry: { initialDelaySeconds: 0, maxDelaySeconds: 0 } },
      /maxDelaySeconds.* at least 0\.1/,
    ],
    ['with a deadline of nothing', { timeoutSeconds: 0 }, /spec\.timeoutSeconds .*greater than or equal to 1/],
    ['with a stream in capitals', withMessage({ stream: 'WMS' }), /a stream must be lower-case/],
    ['with a message for neither end', withMessage({ when: 'Tried' }), /messages\[0\]\.when: Unsupported value/],
    ["with a participant's name on a message", withMessage({ name: 'order' }), /may not have a participant's name/],
    ['with attempts on a reliable message', withMessage({ maxAttempts: 3 }), /a Reliable one may not have it/],
    ['with endless best effort', withMessage({ delivery: 'BestEffort' }), /a BestEffort message needs maxAttempts/],
    [
      'whose longest delay is shorter than its first',
      { retry: { initialDelaySeconds: 5, maxDelaySeconds: 1 } },
      /maxDelaySeconds must not be below initialDelaySeconds/,
    ],
  ])('%s is refused', async (_, spec, says) => {
    expect(await create(spec)).toMatchObject(refused(says));
  });

  test('whose name no transaction could give is refused', async () => {
    expect(await create({}, 'create.order')).toMatchObject(
      refused(/at most 63 lower-case letters, digits and hyphens/),
    );
    expect(await create({}, 'f'.repeat(64))).toMatchObject(
      refused(/at most 63 lower-case letters, digits and hyphens/),
    );
  });

  describe('that transactions may depend on', () => {
    const change = async (name: string, spec: object): Promise<Verdict> =>
      verdictOf(await api.request('PATCH', `${collectionPath(namespace, 'transactionflows')}/${name}`, { spec }));
    const second = { ...participant, name: 'inventory' };
    const immutable = /participants are immutable by name and path/;

    test('keeps its participants and paths, while endpoints and times may change', async () => {
      await create({ participants: [participant, second] }, 'kept');
      expect(await change('kept', { participants: [participant] })).toMatchObject(refused(immutable));
      expect(await change('kept', { participants: [participant, { ...second, name: 'stock' }] })).toMatchObject(
        refused(immutable),
      );
      expect(await change('kept', { participants: [participant, { ...second, path: '/v2' }] })).toMatchObject(
        refused(immutable),
      );
      const moved = { ...second, endpoint: { url: 'http://127.0.0.1:4002' }, timeoutSeconds: 1 };
      expect(await change('kept', { participants: [moved, participant], timeoutSeconds: 60 })).toMatchObject({
        kind: 'accepted',
      });
    });

    test('keeps its messages, while new ones may follow', async () => {
      const appendOnly = /messages are append-only/;
      await create({ messages: [message] }, 'told');
      expect(await change('told', { messages: null })).toMatchObject(refused(appendOnly));
      expect(await change('told', { messages: [] })).toMatchObject(refused(appendOnly));
      expect(await change('told', { messages: [{ ...message, type: 'stock.unlock' }] })).toMatchObject(
        refused(appendOnly),
      );
      expect(await change('told', { messages: [{ ...message, name: 'sms', stream: 'sms' }, message] })).toMatchObject({
        kind: 'accepted',
      });
    });
  });

  test('is stored with its defaults filled in', async () => {
    const verdict = await create({ retry: { maxDelaySeconds: 5 }, messages: [message] }, 'defaults');
    expect(verdict).toMatchObject({
      object: {
        spec: {
          timeoutSeconds: 30,
          stuckAfterSeconds: 60,
          ttlSecondsAfterFinished: 300,
          retry: { initialDelaySeconds: 0.2, maxDelaySeconds: 5, factor: 2 },
          participants: [{ timeoutSeconds: 3, maxConcurrency: 64 }],
          messages: [{ delivery: 'Reliable' }],
        },
      },
    });
  });
});
