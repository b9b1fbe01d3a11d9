/** What dispatch and the warehouse hear by their streams, and show, whatever comes when; on a real Redis and a real database. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Receipt } from '../../services/protocol/src/index.ts';
import { idOf, sourceOf } from './message-sender.ts';
import { TEST_NAMESPACE, TWIN_NAMESPACE } from './running.ts';
import { FOLLOWERS, messageOf, stateIn, type Follower, type OrderEvent } from './order-followers.ts';
import {
  arrivalsOf,
  ask,
  documentedStatuses,
  payloadsOf,
  runConsumer,
  type RunningConsumer,
} from './running-consumers.ts';

let orders = 0;
const newOrderId = (): string => `o${String(++orders)}`;

describe.each(FOLLOWERS)('$name', (follower) => {
  let service: RunningConsumer;
  beforeAll(async () => {
    service = await runConsumer(follower.name);
  });
  afterAll(() => service.close());

  const send = (event: OrderEvent, orderId: string, id?: string): Promise<Receipt> =>
    service.sender.send({ ...messageOf(follower, event, orderId), ...(id !== undefined && { id }) });
  const stateOf = (orderId: string): Promise<unknown> => stateIn(follower, service, orderId);

  test.each<OrderEvent>(['created', 'paid', 'closed'])(
    'an order of which only %s is heard has its state, and the message a receipt',
    async (event) => {
      const orderId = newOrderId();
      const { type, data } = messageOf(follower, event, orderId);
      const id = idOf(type, data);
      expect(await send(event, orderId)).toEqual({ id, consumer: follower.name, result: 'delivered' });
      expect(await stateOf(orderId)).toBe(follower.states[event]);
    },
  );

  const arrivals = (['paid', 'closed'] as const).flatMap((end) =>
    arrivalsOf<OrderEvent>(['created', end]).map((sent) => ({ sent, end })),
  );
  test.each(arrivals)('messages that arrive as $sent, each of them three times, end $end', async ({ sent, end }) => {
    const orderId = newOrderId();
    for (const event of sent) {
      expect(await send(event, orderId)).toMatchObject({ result: 'delivered' });
      expect(await send(event, orderId)).toMatchObject({ result: 'delivered' });
    }
    expect(await stateOf(orderId)).toBe(follower.states[end]);
  });

  test.each(arrivalsOf<OrderEvent>(['created', 'paid', 'closed']).map((sent) => ({ sent })))(
    'of messages that say both paid and closed, as $sent, the later is refused for people, however often it comes',
    async ({ sent }) => {
      const orderId = newOrderId();
      const [winner, loser] = sent.filter((event) => event !== 'created');
      const receipts = new Map<OrderEvent, Receipt>();
      for (const event of sent) receipts.set(event, await send(event, orderId));
      expect(receipts.get('created')).toMatchObject({ result: 'delivered' });
      expect(receipts.get(winner!)).toMatchObject({ result: 'delivered' });
      const refused = { result: 'refused', reason: follower.contradictions[loser!] };
      expect(receipts.get(loser!)).toMatchObject(refused);
      expect(await send(loser!, orderId)).toMatchObject(refused);
      expect(await stateOf(orderId)).toBe(follower.states[winner!]);
    },
  );

  test('messages that arrive all at once end right, and so do those of all other orders', async () => {
    const orderIds = Array.from({ length: 20 }, newOrderId);
    const receipts = await Promise.all(
      orderIds.flatMap((orderId) => [
        send('paid', orderId),
        send('created', orderId),
        send('paid', orderId),
        send('created', orderId),
      ]),
    );
    expect(new Set(receipts.map(({ result }) => result))).toEqual(new Set(['delivered']));
    expect(new Set(await Promise.all(orderIds.map(stateOf)))).toEqual(new Set([follower.states.paid]));
  });

  test.each(badMessages(follower))('%s is refused with a reason that names it', async (_, type, data, reason) => {
    const id = 'shop/bad/m';
    const refused = { result: 'refused', reason: expect.stringMatching(reason) };
    expect(await service.sender.send({ type, data, id })).toEqual({ id, consumer: follower.name, ...refused });
    expect((await ask(`${service.url}/${follower.collection}/bad`)).status).toBe(404);
  });

  test.each<OrderEvent>(['created', 'paid', 'closed'])(
    'that it was %s counts only from the order’s own transaction: others are answered, and change nothing',
    async (event) => {
      const orderId = newOrderId();
      const { type, data } = messageOf(follower, event, orderId);
      const id = idOf(type, data);
      const [namespace, name, message] = id.split('/');
      for (const change of [
        { id: `${namespace}/${name}-again/${message}` },
        { id: `${namespace}/another/${message}` },
        { id: `${namespace}/${name}/another` },
        { source: 'ordertx/shop/a-flow-of-my-own' },
      ])
        expect(await service.sender.publish({ id, type, data, ...change })).toMatchObject([
          { result: 'delivered', reason: expect.stringContaining(`without effect: ${type} counts only`) },
        ]);
      expect(await stateOf(orderId)).toBeUndefined();
      expect(await send(event, orderId)).toEqual({ id, consumer: follower.name, result: 'delivered' });
      expect(await stateOf(orderId)).toBe(follower.states[event]);
    },
  );

  test('an order whose transactions lie in one namespace hears nothing from another one', async () => {
    const orderId = newOrderId();
    await send('created', orderId);
    for (const event of ['paid', 'closed'] as const) {
      const { type, data } = messageOf(follower, event, orderId);
      const twin = {
        id: idOf(type, data).replace(TEST_NAMESPACE, TWIN_NAMESPACE),
        source: sourceOf(type).replace(TEST_NAMESPACE, TWIN_NAMESPACE),
      };
      expect(await service.sender.publish({ type, data, ...twin })).toMatchObject([
        { result: 'delivered', reason: expect.stringContaining('without effect: it comes from another namespace') },
      ]);
    }
    expect(await stateOf(orderId)).toBe(follower.states.created);
    await send('paid', orderId);
    expect(await stateOf(orderId)).toBe(follower.states.paid);
  });

  test('nobody in another namespace tells of an order first: what the shop tells is heard all the same', async () => {
    const orderId = newOrderId();
    const { type, data } = messageOf(follower, 'created', orderId);
    const twin = {
      id: idOf(type, data).replace(TEST_NAMESPACE, TWIN_NAMESPACE),
      source: sourceOf(type).replace(TEST_NAMESPACE, TWIN_NAMESPACE),
    };
    expect(await service.sender.publish({ type, data, ...twin })).toMatchObject([
      { result: 'delivered', reason: expect.stringContaining('without effect: it comes from another namespace') },
    ]);
    expect(await stateOf(orderId)).toBeUndefined();
    await send('created', orderId);
    expect(await stateOf(orderId)).toBe(follower.states.created);
  });

  test('a refused message does not use up its id: once mended it is delivered', async () => {
    const orderId = newOrderId();
    const data = payloadsOf(orderId).paid;
    const message = { type: follower.types.paid, id: idOf(follower.types.paid, data) };
    expect(await service.sender.send({ ...message, data: { ...data, amountCents: -1 } })).toMatchObject({
      result: 'refused',
    });
    expect(await service.sender.send({ ...message, data })).toMatchObject({ result: 'delivered' });
    expect(await stateOf(orderId)).toBe(follower.states.paid);
  });

  test('an order is shown with what was heard of it', async () => {
    const orderId = newOrderId();
    await send('created', orderId);
    expect(await ask(`${service.url}/${follower.collection}/${orderId}`)).toMatchObject({
      ...{ status: 200, body: { orderId, state: 'LOCKED' } },
    });
  });

  test('an order nobody has told of is 404', async () => {
    expect(await ask(`${service.url}/${follower.collection}/unknown`)).toMatchObject({
      ...{ status: 404, type: 'application/problem+json' },
      body: { code: 'unknown-order', detail: expect.stringContaining('unknown') },
    });
  });

  test.each(['UPPER', '-', 'a%2Fb', 'a%00', `o${'x'.repeat(50)}`])(
    'the order id %s is 400 and names the field',
    async (orderId) => {
      expect(await ask(`${service.url}/${follower.collection}/${orderId}`)).toMatchObject({
        ...{ status: 400, type: 'application/problem+json', body: { detail: expect.stringMatching(/^orderId: /) } },
      });
    },
  );

  test('every status it answers is documented', async () => {
    const documented = await documentedStatuses(service.url, 'get', `/${follower.collection}/{orderId}`);
    expect(documented).toEqual(['200', '400', '404', '503', 'default']);
  });
});

function badMessages({ name, types }: Follower): [string, string, unknown, RegExp][] {
  const { created, paid, closed } = payloadsOf('bad');
  const foreign = FOLLOWERS.find((other) => other.name !== name)?.types.created ?? '';
  const known = [types.created, types.paid, types.closed].join(', ');
  return [
    ['an unknown type', 'order.lose', created, new RegExp(`^type: .*${known}$`)],
    ['another service’s type', foreign, created, /^type: /],
    ['an unknown field', types.created, { ...created, colour: 'red' }, /^data\.colour: is not a known field/],
    [
      'an unknown field in a line',
      types.closed,
      { ...closed, lines: [{ ...closed.lines[0], colour: 'red' }] },
      /^data\.lines\[0\]\.colour: /,
    ],
    ['a negative amount', types.paid, { ...paid, amountCents: -1 }, /^data\.amountCents: /],
    ['a total that is not the sum', types.created, { ...created, totalCents: 1 }, /^data\.totalCents: must be the sum/],
    ['another message’s payload', types.paid, created, /data\.paymentId: /],
    ['an order id that is none', types.created, { ...created, orderId: 'NONE' }, /^data\.orderId: /],
    ['no lines', types.created, { ...created, lines: undefined }, /data\.lines: /],
  ];
}
