/**
 * Numbers that are no doubles arrive at participants and on streams digit by digit, also after the controller has stored its status;
 * services that work with numbers refuse them by the field's name instead of taking another number.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitFor } from '../../local/deadline.ts';
import { HEADERS, MESSAGE_FIELD, messagesStream } from '../../services/protocol/src/index.ts';
import { openShop, type Shop } from '../world/shop.ts';

const TEST_MS = 90_000;
const SEEN_MS = 30_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
/** Read as doubles, all three become other numbers. */
const NUMBERS = '[9007199254740993,-9223372036854775807,1152921504606846977]';

let shop: Shop;
/** Another language's participant: what it is sent is looked at as text. */
let participant: { readonly server: Server; readonly url: string; readonly bodies: Map<string, string> };

beforeAll(async () => {
  participant = await openParticipant();
  shop = await openShop('exact');
  await shop.stock(TEA.skuId, 100);
  await shop.startController({ allowEndpoints: [...Object.values(shop.origins), participant.url] });
}, TEST_MS);
afterAll(async () => {
  await shop.close();
  participant.server.close();
}, TEST_MS);

async function openParticipant(): Promise<typeof participant> {
  const bodies = new Map<string, string>();
  const server = createServer((request, response) => {
    const operation = String(request.headers[HEADERS.operation.toLowerCase()]);
    void text(request).then((body) => {
      bodies.set(operation, body);
      response.writeHead(200, { [HEADERS.state]: operation === 'try' ? 'Tried' : 'Confirmed' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** `JSON.stringify` prints it as it is written here. */
function written(json: string): unknown {
  return (JSON as unknown as { readonly rawJSON: (text: string) => unknown }).rawJSON(json);
}

const numbers = () =>
  JSON.parse(NUMBERS, (_key, value: unknown, context?: { readonly source?: string }) =>
    context?.source === undefined ? value : written(context.source),
  ) as unknown;

test(
  'participant and stream get every digit of a 64-bit integer',
  async () => {
    const flow = {
      apiVersion: 'ordertx.dev/v1alpha1',
      kind: 'TransactionFlow',
      metadata: { name: 'exact' },
      spec: {
        participants: [{ name: 'ledger', endpoint: { url: participant.url }, path: '/tcc/exact' }],
        messages: [{ name: 'told', when: 'Confirmed', stream: 'nobody', type: 'exact.told', delivery: 'Reliable' }],
      },
    };
    expect((await shop.admin.request('POST', shop.pathOf('transactionflows'), flow)).status).toBe(201);
    const { name } = await shop.begin('exact', [TEA], { numbers: numbers() });
    const redis = new Redis(shop.redisUrl);
    const event = await waitFor(
      async () => {
        const [entry] = await redis.xrange(messagesStream('nobody'), '-', '+');
        return entry?.[1][entry[1].indexOf(MESSAGE_FIELD) + 1];
      },
      { what: 'the message to be published', deadlineMs: SEEN_MS },
    ).finally(() => redis.disconnect());
    expect(event).toContain(`"numbers":${NUMBERS}`);
    expect([...participant.bodies.keys()]).toEqual(['try', 'confirm']);
    for (const body of participant.bodies.values()) expect(body).toContain(`"numbers":${NUMBERS}`);
    // The controller has written its status meanwhile, over the whole object as it had read it.
    expect(await shop.kubectl('get', 'otx', name, '-o', 'json')).toMatch(
      new RegExp(NUMBERS.replace('[', '\\[\\s*').replace(']', '\\s*\\]').replaceAll(',', ',\\s*')),
    );
  },
  TEST_MS,
);

test(
  'a service that cannot keep every digit takes nothing, and the transaction says which field it is',
  async () => {
    const { name } = await shop.begin('create-order', [TEA], { trace: { numbers: numbers() } });
    const { status } = await shop.final(name);
    expect(status).toMatchObject({ phase: 'Cancelled', decisionReason: 'Refused' });
    expect(status?.message).toContain('trace.numbers[0]: the number 9007199254740993 cannot be kept digit by digit');
    expect(await shop.stockOf(TEA.skuId)).toMatchObject({ frozen: 0, sellable: 100 });
  },
  TEST_MS,
);

test('a customer who sends one is told the field, and nothing is accepted', async () => {
  const answer = await fetch(`${shop.services.order.url}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'exact' },
    body: '{"userId":"u1","lines":[{"skuId":"tea","quantity":1,"unitPriceCents":9007199254740993}]}',
  });
  expect({ status: answer.status, body: await answer.json() }).toMatchObject({
    status: 400,
    body: { errors: [{ field: 'lines[0].unitPriceCents', message: expect.stringContaining('9007199254740993') }] },
  });
});
