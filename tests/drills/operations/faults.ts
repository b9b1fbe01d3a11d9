/**
 * What is broken in turn: how, which alerts say so, and how the part itself is mended. What it has held up is mended by the documented commands.
 */
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { waitFor } from '../../../local/deadline.ts';
import type { Part } from '../../../local/parts.ts';
import type { ProcessGroup } from '../../../local/process-group.ts';
import { startService, type ServiceName } from '../../../local/services.ts';
import type { Stack } from '../../../local/stack.ts';

export interface Fault {
  /** For --only. */
  readonly name: string;
  readonly title: string;
  /** Participants and messages that suffer by it, and nobody else. */
  readonly targets: readonly string[];
  /** All of them fire by it. */
  readonly alerts: readonly string[];
  /** What `incidents` says of all that suffer. */
  readonly sentence: RegExp;
  readonly inflict: () => Promise<void>;
  /** What stands for the work at the part itself: a restart, a setting put right. */
  readonly mend: () => Promise<void>;
}

export interface FaultParts {
  readonly stack: Stack;
  /** Where Redis runs, and what takes the place of a part that was killed. */
  readonly group: ProcessGroup;
  readonly redis: { readonly url: string; readonly part: Part };
  /** Messages of all flows, by the stream of who hears them. */
  readonly messages: ReadonlyMap<string, readonly string[]>;
}

/** A namespace that the shop has no orders in. */
const ELSEWHERE = 'elsewhere';
const ADMIN_MS = 10_000;

export function faultsOf(parts: FaultParts): readonly Fault[] {
  return [
    consumerKilled(parts),
    consumerStopped(parts),
    consumerRefuses(parts),
    participantKilled(parts),
    participantReadOnly(parts),
    ...redisFaults(parts),
  ];
}

function partOf({ stack }: FaultParts, service: ServiceName): Part {
  return stack.business.services[service].part;
}

async function kill(part: Part): Promise<void> {
  part.process.kill('SIGKILL');
  await part.process.exited;
}

const NO_RECEIPT = /its consumer has sent no receipt/;

function consumerKilled(parts: FaultParts): Fault {
  const part = partOf(parts, 'dispatch');
  return {
    ...{ name: 'consumer-killed', title: 'a consumer is dead: kill -9 of dispatch' },
    targets: parts.messages.get('dispatch') ?? [],
    ...{ alerts: ['OrdertxTransactionsFailing', 'OrdertxTransactionsStuck'], sentence: NO_RECEIPT },
    inflict: () => kill(part),
    mend: () => part.restart(),
  };
}

function consumerStopped(parts: FaultParts): Fault {
  const part = partOf(parts, 'wms');
  return {
    ...{ name: 'consumer-stopped', title: 'a consumer hangs: kill -STOP of wms' },
    targets: parts.messages.get('wms') ?? [],
    ...{ alerts: ['OrdertxTransactionsFailing', 'OrdertxTransactionsStuck'], sentence: NO_RECEIPT },
    inflict: async () => part.process.kill('SIGSTOP'),
    mend: async () => part.process.kill('SIGCONT'),
  };
}

/** As after a rollout with another environment's settings. */
function consumerRefuses(parts: FaultParts): Fault {
  const { url, databaseUrl, part } = parts.stack.business.services.dispatch;
  let wrong: Part | undefined;
  return {
    ...{ name: 'consumer-refuses', title: 'a consumer refuses: dispatch is started for another namespace' },
    targets: parts.messages.get('dispatch') ?? [],
    ...{
      alerts: ['OrdertxMessagesRefused', 'OrdertxTransactionsStuck'],
      sentence: /takes no part in transactions of namespace/,
    },
    inflict: async () => {
      await kill(part);
      const { part: started } = await startService(parts.group, {
        ...{ name: 'dispatch', port: Number(new URL(url).port), databaseUrl, redisUrl: parts.redis.url },
        ...{ namespaces: [ELSEWHERE], callers: { kind: 'off' } },
      });
      wrong = started;
    },
    mend: async () => {
      await wrong?.process.stop();
      await part.restart();
    },
  };
}

const PARTICIPANT_ALERTS = [
  'OrdertxParticipantAnswersNobody',
  'OrdertxTransactionsFailing',
  'OrdertxTransactionsStuck',
];

function participantKilled(parts: FaultParts): Fault {
  const part = partOf(parts, 'inventory');
  return {
    ...{ name: 'participant-killed', title: 'a participant is dead: kill -9 of inventory', targets: ['inventory'] },
    ...{ alerts: PARTICIPANT_ALERTS, sentence: /refused the connection|broke off|answers no transaction/ },
    inflict: () => kill(part),
    mend: () => part.restart(),
  };
}

/** The disk is full, or the primary moved: its connections may read and not write. */
function participantReadOnly(parts: FaultParts): Fault {
  const { databaseUrl } = parts.stack.business.services.inventory;
  const database = decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
  const readOnly = (is: boolean): Promise<void> =>
    withClient(parts.stack.postgresUrl, async (client) => {
      const value = is ? 'on' : 'off';
      await client.query(
        `alter database ${client.escapeIdentifier(database)} set default_transaction_read_only = ${value}`,
      );
      // Connections that are open keep what they began with.
      await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [database]);
    });
  return {
    ...{ name: 'participant-503', title: 'a participant answers 503: inventory may not write to its database' },
    targets: ['inventory'],
    ...{ alerts: PARTICIPANT_ALERTS, sentence: /answered 503|answers no transaction/ },
    inflict: () => readOnly(true),
    mend: () => readOnly(false),
  };
}

function redisFaults(parts: FaultParts): readonly Fault[] {
  const { url, part } = parts.redis;
  const common = {
    targets: [...parts.messages.values()].flat(),
    sentence: /Redis did not take it/,
  };
  const alerts = ['OrdertxCannotPublish'];
  return [
    {
      ...{ name: 'redis-killed', title: 'Redis is dead, with all that was in it: kill -9' },
      ...{ ...common, alerts: ['OrdertxRedisAway', ...alerts] },
      inflict: () => kill(part),
      mend: () => part.restart(),
    },
    {
      ...{ name: 'redis-read-only', title: 'Redis is read-only: its primary has moved', ...common, alerts },
      inflict: () => withRedis(url, (redis) => redis.replicaof('127.0.0.1', 1)),
      mend: () => withRedis(url, (redis) => redis.replicaof('NO', 'ONE')),
    },
    {
      ...{ name: 'redis-full', title: 'Redis is full', ...common, alerts },
      inflict: () => withRedis(url, (redis) => redis.config('SET', 'maxmemory', '1')),
      mend: () => withRedis(url, (redis) => redis.config('SET', 'maxmemory', '0')),
    },
  ];
}

async function withRedis(url: string, ask: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(url, { lazyConnect: true });
  // The command that fails says it.
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    await ask(redis);
  } finally {
    redis.disconnect();
  }
}

/** A server that ends connections may end this one while it is made. */
async function withClient(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  await waitFor(
    async () => {
      const client = new Client({ connectionString: url });
      client.on('error', () => undefined);
      try {
        await client.connect();
        await work(client);
        return true;
      } finally {
        await client.end();
      }
    },
    { what: 'Postgres to take a setting', deadlineMs: ADMIN_MS },
  );
}
