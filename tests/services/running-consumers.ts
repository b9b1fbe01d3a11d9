/**
 * Services that hear of orders by messages and say none; what such messages carry, and in which orders they can arrive.
 */
import fc from 'fast-check';
import { startDispatch } from '../../services/dispatch/src/service.ts';
import type { ReceivedMessage } from '../../services/kit/src/index.ts';
import { startMember } from '../../services/member/src/service.ts';
import {
  originOf,
  totalCentsOf,
  type CloseOrderPayload,
  type CreateOrderPayload,
  type PayOrderPayload,
} from '../../services/protocol/src/index.ts';
import { startWms } from '../../services/wms/src/service.ts';
import { MessageSender, sourceOf, type SentMessage } from './message-sender.ts';
import { startForTest, type StartedService } from './started-service.ts';

export interface RunningConsumer extends StartedService {
  /** Writes to this service. */
  readonly sender: MessageSender;
}

const START = { dispatch: startDispatch, wms: startWms, member: startMember } as const;

export type ConsumerName = keyof typeof START;

export async function runConsumer(name: ConsumerName): Promise<RunningConsumer> {
  const service = await startForTest(name, START[name]);
  return { ...service, sender: new MessageSender(service.redis, name) };
}

/** The same as a handler is given it, for tests that hand it over themselves. */
export function received<Data>({ id, type, data }: Required<SentMessage> & { data: Data }): ReceivedMessage<Data> {
  const origin = originOf({ id, source: sourceOf(type) });
  return {
    id,
    type,
    data,
    origin,
    reason: 'AllTried',
    detail: '',
    digest: JSON.stringify([type, data]),
    publication: 'attempt 1',
    traceparent: undefined,
  };
}

export interface OrderPayloads {
  readonly created: CreateOrderPayload;
  readonly paid: PayOrderPayload;
  readonly closed: CloseOrderPayload;
}

/** What an order's messages carry, when it is created, paid and closed. */
export function payloadsOf(orderId: string, userId = 'u1'): OrderPayloads {
  const lines = [
    { skuId: 'teapot', quantity: 2, unitPriceCents: 1_250 },
    { skuId: 'cup', quantity: 6, unitPriceCents: 99 },
  ];
  const totalCents = totalCentsOf(lines);
  return {
    created: { orderId, userId, lines, totalCents },
    paid: { orderId, userId, lines, totalCents, paymentId: `p-${orderId}`, amountCents: totalCents },
    closed: { orderId, lines, cause: 'unpaid' },
  };
}

/** All orders in which these can arrive. */
export function arrivalsOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, index) => arrivalsOf(items.toSpliced(index, 1)).map((others) => [first, ...others]));
}

export interface Delivery<Type> {
  readonly type: Type;
  /** Deliveries of one type with the same number are of one message; with another number, of one that says the same. */
  readonly copy: number;
}
/** Those of one wave are delivered at the same moment. */
export type Waves<Type> = readonly (readonly Delivery<Type>[])[];

const REPEATS_MAX = 8;
const COPIES_MAX = 3;
const WAVE_DELIVERIES_MAX = 5;

/** Each of these at least once, and some again: in any order, several at the same moment. */
export function anyArrival<Type>(types: readonly Type[]): fc.Arbitrary<Waves<Type>> {
  const again = fc.record({ type: fc.constantFrom(...types), copy: fc.nat({ max: COPIES_MAX - 1 }) });
  return fc
    .array(again, { maxLength: REPEATS_MAX })
    .map((repeats) => [...types.map((type) => ({ type, copy: 0 })), ...repeats])
    .chain((deliveries) => {
      const { length } = deliveries;
      const size = fc.integer({ min: 1, max: WAVE_DELIVERIES_MAX });
      const sizes = fc.array(size, { minLength: length, maxLength: length });
      return fc.tuple(fc.shuffledSubarray(deliveries, { minLength: length }), sizes);
    })
    .map(([deliveries, sizes]) => cut(deliveries, sizes));
}

export interface Answered<Type> {
  /** What was looked at after each wave. */
  readonly looks: readonly unknown[];
  /** What the deliveries of each type were answered with. */
  readonly answers: ReadonlyMap<Type, ReadonlySet<string>>;
}

/** One wave after the other; those of one wave at the same moment. */
export async function deliverWaves<Type>(
  waves: Waves<Type>,
  deliver: (delivery: Delivery<Type>) => Promise<string>,
  look: () => Promise<unknown>,
): Promise<Answered<Type>> {
  const answers = new Map<Type, Set<string>>();
  const looks: unknown[] = [];
  for (const wave of waves) {
    const kinds = await Promise.all(wave.map(deliver));
    for (const [index, { type }] of wave.entries()) {
      answers.set(type, (answers.get(type) ?? new Set()).add(kinds[index] ?? ''));
    }
    looks.push(await look());
  }
  return { looks, answers };
}

function cut<T>(items: readonly T[], sizes: readonly number[]): readonly (readonly T[])[] {
  const [size = items.length, ...others] = sizes;
  return items.length === 0 ? [] : [items.slice(0, size), ...cut(items.slice(size), others)];
}

/** A GET, or a POST with the body where one is given. */
export async function ask(url: string, init?: { readonly method: string; readonly body?: string }) {
  const headers = init?.body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await fetch(url, { ...init, headers });
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    body: (await answer.json()) as Readonly<Record<string, unknown>>,
  };
}

/** The statuses that /openapi.json declares for an operation; `default` is every other problem. */
export async function documentedStatuses(url: string, method: string, path: string): Promise<readonly string[]> {
  const { body } = await ask(`${url}/openapi.json`);
  const { paths } = body as { paths: Record<string, Record<string, { responses: Record<string, unknown> }>> };
  return Object.keys(paths[path]?.[method]?.responses ?? {});
}
