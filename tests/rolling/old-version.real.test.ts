/**
 * Replicas of the version before go on with their work while the schema is changed under them, and afterwards: what they send is
 * answered after each migration as it was before the first.
 *
 * Sent are their own statements, kept in generated/, to a real database that has rows of theirs.
 */
import { afterAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { freshDatabase } from '../world/world.ts';
import { kept, keptOf } from './kept.ts';
import { makeOldSchema, stepsSince } from './old-schema.ts';
import { sentBy, type Sent } from './sent.ts';

const services = [...kept.keys()].filter((service) => service !== 'kit');
const databases: { readonly drop: () => Promise<void> }[] = [];

afterAll(async () => {
  await Promise.all(databases.map(({ drop }) => drop()));
});

/** Of no two runs the same. */
const CHANCE = new Set(['created_at', 'due_at', 'at', 'oldest_seconds', 'age_seconds', 'traceparent']);

interface Answer {
  readonly statement: string;
  readonly rows: readonly string[];
  readonly rowCount: number | null;
}

async function send(client: pg.Client, owner: string, sent: Sent): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (const [name, ...values] of sent) {
    const statement = keptOf(owner).statements.find((each) => each.name === name);
    if (statement === undefined) throw new Error(`${owner} of the version before sends no ${name}`);
    const { rows, rowCount } = await client.query<Record<string, unknown>>(statement.text, values);
    const shown = rows.map((row) => JSON.stringify(row, (key, value: unknown) => (CHANCE.has(key) ? '-' : value)));
    answers.push({ statement: name, rows: shown.toSorted(), rowCount });
  }
  return answers;
}

/** Everything once, in one database transaction, of which nothing stays. */
async function answersOf(client: pg.Client, service: string): Promise<readonly Answer[]> {
  await client.query('begin');
  try {
    return [
      ...(await send(client, 'kit', sentBy.kit?.('now') ?? [])),
      ...(await send(client, service, sentBy[service]?.('now') ?? [])),
    ];
  } finally {
    await client.query('rollback');
  }
}

describe.each(services)('what %s of the version before sends', (service) => {
  test('is answered alike after each migration', async () => {
    const database = await freshDatabase(`rolling-${service}`);
    databases.push(database);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      await makeOldSchema(client, service);
      // What is cleaned away is what lies there of these.
      for (const owner of ['kit', service])
        await send(
          client,
          owner,
          (sentBy[owner]?.('before') ?? []).filter(([name]) => !/^(clean|delete)-/.test(name)),
        );
      const before = await answersOf(client, service);
      // Whatever finds nothing to do would be answered alike by anything.
      const idle = new Set(before.map(({ statement }) => statement));
      for (const { statement, rowCount } of before) if (rowCount !== 0) idle.delete(statement);
      expect(idle).toEqual(new Set());
      for (const { name, text } of stepsSince(service)) {
        await client.query(text);
        expect({ after: name, answers: await answersOf(client, service) }).toEqual({ after: name, answers: before });
      }
      // Each of them by itself as well, whatever the order in which they are sent above.
      for (const owner of ['kit', service])
        for (const { name, text } of keptOf(owner).statements)
          await client.query(`prepare "${owner} ${name}" as ${text}`);
    } finally {
      await client.end();
    }
  });
});

test('every statement of the version before is sent here', () => {
  const unsent = [...kept.values()].flatMap(({ service, statements }) => {
    const names = new Set((sentBy[service]?.('now') ?? []).map(([name]) => name));
    return statements.filter(({ name }) => !names.has(name)).map(({ name }) => `${service}: ${name}`);
  });
  expect(unsent).toEqual([]);
});
