/**
 * Old beside new on a real API server: its CRD is a newer version's and has fields that this version does not know. What a newer
 * controller has written there is still there when this one has carried the transaction to its end.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pathOf, TRANSACTIONS } from '../../controller/src/kubernetes/stored-object.ts';
import type { HttpTransport } from '../../controller/src/kubernetes/transport.ts';
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import { waitFor } from '../../local/deadline.ts';
import { parseExact } from '../../services/protocol/src/exact-json.ts';
import { adminTransport, expectOk } from '../world/api-client.ts';
import { openControlPlane, type OwnControlPlane } from '../world/own-control-plane.ts';
import { openShop, type Shop } from '../world/shop.ts';

const SETUP_MS = 120_000;
const TEST_MS = 60_000;
const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ordertransactions.ordertx.dev';
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
/** A number that a double does not hold, as a newer version may count in. */
const EXACT_TEXT = '1152921504606846977';
const EXACT = parseExact(EXACT_TEXT);

interface Schema {
  readonly properties: Record<string, Schema>;
  readonly items: Schema;
}
interface Definition {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
}

let own: OwnControlPlane;
let shop: Shop;
let newer: HttpTransport;

beforeAll(async () => {
  own = await openControlPlane();
  const { body } = await own.admin.request('GET', CRD);
  const status = (body as Definition).spec.versions[0]?.schema.openAPIV3Schema.properties.status as Schema;
  const { branches, messages, conditions } = status.properties;
  for (const each of [status, branches?.items, messages?.items, conditions?.items])
    Object.assign(each?.properties ?? {}, { zone: { type: 'string' }, served: { type: 'integer', format: 'int64' } });
  const changed = await own.admin.request('PUT', CRD, body);
  if (changed.status !== 200) throw new Error(`changing the CRD was answered ${changed.status}`);
  newer = adminTransport(undefined, own.cluster.kubeconfig);
  shop = await openShop('newer', { cluster: own.cluster });
  await shop.stock('tea', 1_000);
  await shop.startController();
}, SETUP_MS);

afterAll(async () => {
  await shop.close();
  await newer.close();
  await own.close();
}, SETUP_MS);

/** As kubectl prints it: a test's own reading would round the number. */
async function told(name: string, path: string): Promise<string> {
  return shop.kubectl('get', 'otx', name, '-o', `jsonpath=${path}`);
}

/** A newer controller's write: its fields in all that is stored of the status by now. */
async function newerWrites(name: string, place: string): Promise<void> {
  const path = pathOf(TRANSACTIONS, shop.namespace, name);
  await waitFor(
    async () => {
      const stored = await expectOk<OrderTransaction>(newer, { method: 'GET', path });
      const mark = <T extends object>(each: T) => ({ ...each, zone: place, served: EXACT });
      const { branches = [], messages, conditions } = stored.status ?? {};
      const status = {
        ...mark(stored.status ?? {}),
        branches: branches.map(mark),
        ...(messages && { messages: messages.map(mark) }),
        ...(conditions && { conditions: conditions.map(mark) }),
      };
      const body = { ...stored, status };
      const answer = await newer.request({ method: 'PUT', path: `${path}/status`, body });
      // This version's controller may have been faster.
      if (answer.kind === 'error' && answer.error.status === 409) return false;
      if (answer.kind !== 'ok') throw new Error(JSON.stringify(answer));
      return true;
    },
    { what: 'the newer status to be stored', deadlineMs: TEST_MS },
  );
}

const isStuck = ({ status }: OrderTransaction): boolean =>
  status?.conditions?.some((each) => each.type === 'Stuck' && each.status === 'True') === true;

test(
  'what a newer controller has written before the decision and after it is there at the end',
  async () => {
    const { order, inventory } = shop.services;
    const flow = { stuckAfterSeconds: 1, origins: { order: order.url, inventory: 'http://127.0.0.1:9' } };
    await shop.putFlow('newer', flow);
    const message = { name: 'lock', when: 'Confirmed', stream: 'nobody', type: 'stock.lock', delivery: 'Reliable' };
    await own.admin.request('PATCH', shop.pathOf('transactionflows', 'newer'), { spec: { messages: [message] } });
    const { name } = await shop.begin('newer', [TEA]);
    await shop.transactionWhen(name, 'to be stuck', isStuck);
    await newerWrites(name, 'before');

    await shop.putFlow('newer', { ...flow, origins: { order: order.url, inventory: inventory.url } });
    await shop.transactionWhen(name, 'to wait for a receipt', ({ status }) => status?.phase === 'Delivering');
    expect(await told(name, '{.status.branches[*].served}')).toBe(`${EXACT_TEXT} ${EXACT_TEXT}`);
    await newerWrites(name, 'after');

    await shop.patch(name, {
      spec: { resolutions: [{ target: 'lock', as: 'Delivered', reason: 'nobody listens in this test' }] },
    });
    const { status } = await shop.final(name);
    expect(status?.phase).toBe('Succeeded');
    expect(await told(name, '{.status.zone} {.status.served}')).toBe(`after ${EXACT_TEXT}`);
    expect(await told(name, '{.status.branches[*].zone} {.status.branches[*].served}')).toBe(
      `after after ${EXACT_TEXT} ${EXACT_TEXT}`,
    );
    expect(await told(name, '{.status.messages[*].zone} {.status.messages[*].served}')).toBe(`after ${EXACT_TEXT}`);
    expect(await told(name, '{.status.conditions[?(@.type=="Stuck")].served}')).toBe(EXACT_TEXT);
  },
  TEST_MS,
);
