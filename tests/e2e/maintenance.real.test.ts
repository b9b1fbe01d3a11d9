/**
 * A participant, a consumer and a best-effort message on hold: nothing is sent to them, people can read why, nobody is alarmed, and
 * released all goes on at once. The page for it is followed as it is written.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { findCondition } from '../../controller/src/transaction/conditions.ts';
import type { RunningController } from '../../local/controllers.ts';
import { writeKubeconfig } from '../../local/control-plane/kubeconfig.ts';
import { waitFor } from '../../local/deadline.ts';
import { pageCommands, runAsWritten, type CommandRun } from '../world/page-commands.ts';
import { openShop, SLOW_RETRY, type Shop } from '../world/shop.ts';
import { world } from '../world/world.ts';

const OPEN_MS = 120_000;
const TEST_MS = 120_000;
const SEEN_MS = 30_000;
/** What all that waited may take once it is released. */
const RELEASED_MS = 15_000;
const TEA = { skuId: 'tea', quantity: 1, unitPriceCents: 450 };
const ORDERS = 40;

let shop: Shop;
let redis: Redis;
let controller: RunningController;
let run: CommandRun;

beforeAll(async () => {
  shop = await openShop('maintenance', { services: ['dispatch', 'wms'] });
  redis = new Redis(shop.redisUrl);
  await shop.applyFlow();
  await shop.stock(TEA.skuId, 1_000);
  controller = await shop.startController();
  const { apiServerUrl: url, certificate, token, kubectl } = world();
  const kubeconfig = join(shop.group.folder, 'kubeconfig-person');
  await writeKubeconfig(kubeconfig, { url, certificate, token, user: 'admin', namespace: shop.namespace });
  run = { kubectl, env: { KUBECONFIG: kubeconfig, HOME: shop.group.folder } };
}, OPEN_MS);

afterAll(async () => {
  redis.disconnect();
  await shop.close();
}, OPEN_MS);

/** The sum of a metric's samples whose labels contain this text. */
async function metric(name: string, labels: string): Promise<number> {
  const text = await (await fetch(`${controller.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const callsToInventory = async (): Promise<number> =>
  metric('ordertx_participant_calls_total', 'participant="inventory"');
const newsWritten = async (): Promise<number> => metric('ordertx_status_writes_total', 'why="news"');

async function orders(count: number): Promise<readonly string[]> {
  const answers = await Promise.all(Array.from({ length: count }, () => shop.order([TEA])));
  return answers.map(({ body }) => body.transaction);
}

async function hold(flow: string, held: Readonly<Record<string, string | null>>): Promise<void> {
  await shop.kubectl('patch', 'txflow', flow, '--type=merge', '-p', JSON.stringify({ spec: { hold: held } }));
  for (const [target, reason] of Object.entries(held)) await knowsOnHold(flow, target, reason !== null);
}

/**
 * The controller's view of a flow is not the API server's of the same moment, and it watches transactions apart: one that begins before this
 * may be sent to what is on hold by then.
 */
async function knowsOnHold(flow: string, target: string, isHeld = true): Promise<void> {
  const known = async () => (await metric('ordertx_flow_holds', `flow="${flow}",target="${target}"`)) > 0;
  const what = `the controller to know of ${target} in ${flow} that it is ${isHeld ? '' : 'not '}on hold`;
  await waitFor(async () => (await known()) === isHeld, { what, deadlineMs: SEEN_MS });
}

async function saysOnHold(name: string, sentence: string): Promise<void> {
  await shop.transactionWhen(name, `to say "${sentence}"`, ({ status }) => status?.message === sentence, SEEN_MS);
}

test(
  'the page is followed: inventory is on hold and stopped meanwhile, orders wait for it, and all is well when it is released',
  async () => {
    const [create = '', pay = '', close = '', ...rest] = pageCommands('docs/operating/maintenance.md');
    for (const command of [create, pay, close]) await runAsWritten(command, run);
    await knowsOnHold('create-order', 'inventory');
    const sentence = 'on hold: inventory (stock count until 14:00); the deadline runs on';
    const [first = ''] = await orders(1);
    await saysOnHold(first, sentence);
    const [calls, news] = [await callsToInventory(), await newsWritten()];
    shop.services.inventory.part.process.kill('SIGKILL');
    await shop.services.inventory.part.process.exited;

    const names = [first, ...(await orders(ORDERS))];
    for (const name of names) await saysOnHold(name, sentence);
    const [getFlows = '', getWaiting = '', ...release] = rest;
    expect((await runAsWritten(getFlows, run)).stdout).toContain('stock count until 14:00');
    const waiting = (await runAsWritten(getWaiting, run)).stdout;
    for (const name of names) expect(waiting).toContain(name);
    expect(await callsToInventory()).toBe(calls);
    expect((await newsWritten()) - news).toBeLessThanOrEqual(ORDERS);

    await shop.services.inventory.part.restart();
    const written = await newsWritten();
    for (const command of release) await runAsWritten(command, run);
    for (const name of names) {
      const { status } = await shop.final(name, RELEASED_MS);
      expect(status).toMatchObject({ phase: 'Succeeded', message: '', waitingFor: '' });
      expect(findCondition(status, 'Stuck')?.status ?? 'False').toBe('False');
      expect(status?.branches?.map(({ attempts }) => attempts)).toEqual([1, 1]);
    }
    // Late by a person's wish says nothing of how fast the system is: it is counted, and not timed.
    await waitFor(async () => (await metric('ordertx_transactions_finished_total', 'create-order')) === names.length, {
      ...{ what: 'all of them to be counted', deadlineMs: SEEN_MS },
    });
    for (const timed of ['ordertx_transaction_decision_seconds_count', 'ordertx_transaction_duration_seconds_count'])
      expect(await metric(timed, '')).toBe(0);
    // That it was released is written with what comes next.
    expect((await newsWritten()) - written).toBeLessThanOrEqual(2);
    expect((await shop.flow())?.spec).toMatchObject({ timeoutSeconds: 30, hold: {} });
    expect(await shop.violations()).toEqual([]);
  },
  TEST_MS,
);

test(
  'an order whose deadline comes while inventory is on hold is cancelled, without a call and without an alarm',
  async () => {
    await shop.kubectl('patch', 'txflow', 'create-order', '--type=merge', '-p', '{"spec":{"timeoutSeconds":2}}');
    await hold('create-order', { inventory: 'stock count' });
    const calls = await callsToInventory();
    const answer = await shop.order([TEA], 20);
    expect(answer).toMatchObject({
      ...{ status: 409, body: { status: 'CANCELLED' } },
      body: { detail: 'no answer to the try within 2 s from inventory (on hold: stock count)' },
    });
    await saysOnHold(answer.body.transaction, 'on hold: inventory (stock count)');
    expect(await callsToInventory()).toBe(calls);
    await hold('create-order', { inventory: null });
    const { status } = await shop.final(answer.body.transaction, RELEASED_MS);
    expect(status).toMatchObject({ phase: 'Cancelled', decisionReason: 'DeadlineExceeded' });
    await shop.kubectl('patch', 'txflow', 'create-order', '--type=merge', '-p', '{"spec":{"timeoutSeconds":30}}');
  },
  TEST_MS,
);

test(
  'a message on hold is not published before it is released, nor is one of best effort, also to nobody',
  async () => {
    const messages = [
      ...((await shop.flow())?.spec.messages ?? []),
      {
        ...{ name: 'sms', when: 'Confirmed', stream: 'nobody', type: 'sms.created', delivery: 'BestEffort' },
        maxAttempts: 1,
      },
    ];
    const retry = { ...SLOW_RETRY, initialDelaySeconds: 1 };
    const change = JSON.stringify({ spec: { messages, retry } });
    await shop.kubectl('patch', 'txflow', 'create-order', '--type=merge', '-p', change);
    await hold('create-order', { 'lock-wms': 'warehouse moves', sms: 'provider away' });
    const names = await orders(10);
    for (const name of names) await saysOnHold(name, 'on hold: lock-wms (warehouse moves)');
    expect(await redis.exists('ordertx:messages:nobody')).toBe(0);
    for (const name of names) {
      const { status } = (await shop.transaction(name)) ?? {};
      expect(status?.messages).toContainEqual(expect.objectContaining({ name: 'lock-wms', attempts: 0 }));
    }

    await hold('create-order', { 'lock-wms': null });
    for (const name of names) {
      const { status } = await shop.final(name, RELEASED_MS);
      expect(status?.phase).toBe('Succeeded');
      expect(status?.expires).toBeUndefined();
    }
    expect(await redis.exists('ordertx:messages:nobody')).toBe(0);

    await hold('create-order', { sms: null });
    await waitFor(async () => (await redis.xlen('ordertx:messages:nobody')) === names.length, {
      ...{ what: 'each best-effort message once on its stream', deadlineMs: RELEASED_MS },
    });
  },
  TEST_MS,
);

test(
  'the API server refuses a hold on what the flow does not have, or without a reason, and says so',
  async () => {
    await expect(hold('create-order', { inventry: 'stock count' })).rejects.toThrow(
      'hold names something that is neither a participant nor a message of this flow',
    );
    await expect(hold('create-order', { inventory: '' })).rejects.toThrow('spec.hold.inventory');
    await expect(hold('create-order', { inventory: 'two\nlines' })).rejects.toThrow('a reason must be one line');
    await hold('create-order', { inventory: 'stock count', 'lock-wms': 'moves' });
    await hold('create-order', { inventory: null });
    expect((await shop.flow())?.spec.hold).toEqual({ 'lock-wms': 'moves' });
    const explained = await shop.kubectl('explain', 'txflow.spec.hold');
    expect(explained).toContain('on hold for maintenance');
  },
  TEST_MS,
);
