/**
 * No migration stops those who use the tables, or takes from the version before what it needs (migration-rules.ts).
 *
 * First the rules are seen refusing what they are there to refuse, then they are held to every migration there is.
 */
import { describe, expect, test } from '@jest/globals';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { kept, updatedFrom } from '../rolling/kept.ts';
import { judgeMigration, type MigrationFile } from './migration-rules.ts';

const root = join(import.meta.dirname, '../..');

/** Of before there were rules. No migration changes once it was released, so these stay as they are. */
const BEFORE_THE_RULES = new Set([
  'services/dispatch/migrations/0001_dispatch.sql',
  'services/inventory/migrations/0001_stock.sql',
  'services/inventory/migrations/0002_marks.sql',
  'services/kit/migrations/0001_fence.sql',
  'services/kit/migrations/0002_messages.sql',
  'services/kit/testing/migrations/0001_seats.sql',
  'services/kit/testing/migrations/0002_notes.sql',
  'services/member/migrations/0001_point_grants.sql',
  'services/notification/migrations/0001_notifications.sql',
  'services/order/migrations/0001_orders.sql',
  'services/order/migrations/0002_payment_and_closing.sql',
  'services/payment/migrations/0001_payments.sql',
  'services/wms/migrations/0001_shipments.sql',
]);

const migrations = globSync(
  ['services/*/migrations/*.sql', 'services/kit/testing/migrations/*.sql', 'controller/src/archive/migrations/*.sql'],
  { cwd: root },
)
  .toSorted()
  .map((path): MigrationFile => ({ path, text: readFileSync(join(root, path), 'utf8') }));

const judge = (text: string, ...earlier: readonly string[]) =>
  judgeMigration(
    { path: 'new.sql', text },
    { updatedFrom: '1.4.0', earlier: earlier.map((each) => ({ path: 'earlier.sql', text: each })) },
  ).join('\n');

const OUTSIDE = '-- no transaction\n';
const BUILD = 'create index concurrently i on t (a);';

describe('the rules for migrations refuse', () => {
  test.each([
    ['an index that is built while nobody can write', 'create index i on t (a);', 'concurrently'],
    ['one that is built concurrently in a transaction', BUILD, '-- no transaction'],
    ['one that would be taken for whole', `${OUTSIDE}create index concurrently if not exists i on t (a);`, 'INVALID'],
    ['two statements without a transaction', `${OUTSIDE}${BUILD} ${BUILD}`, 'one statement'],
    ['what needs a transaction without one', `${OUTSIDE}alter table t add column a text;`, 'half of it'],
    ['a check of every row', 'alter table t add constraint c check (a > 0);', 'not valid'],
    ['a foreign key of every row', 'alter table t add constraint c foreign key (a) references u;', 'not valid'],
    [
      'a validation beside the lock',
      'alter table t add constraint c check (a > 0) not valid; alter table t validate constraint c;',
      'later file',
    ],
    ['a primary key whose index is not there', 'alter table t add constraint c primary key (a);', 'using index'],
    ['a column that the version before does not fill', 'alter table t add column a text not null;', 'default'],
    ['a default that differs', 'alter table t add column a uuid default gen_random_uuid();', 'row to row'],
    ['a column that counts', 'alter table t add column a bigserial;', 'row to row'],
    ['a generated column', 'alter table t add column a integer generated always as (b + 1) stored;', 'written anew'],
    ['a column with a check', `alter table t add column a text default 'x' check (a <> '');`, 'not valid'],
    ['a unique column', 'alter table t add column a text unique;', 'concurrently'],
    ['a column that is dropped', 'alter table t drop column a;', 'contract'],
    ['a table that is dropped', 'drop table t;', 'contract'],
    ['a constraint that is dropped', 'alter table t drop constraint c;', 'contract'],
    ['a default that is dropped', 'alter table t alter column a drop default;', 'contract'],
    ['a column that must not be null any more', 'alter table t alter column a set not null;', 'contract'],
    ['a column that is renamed', 'alter table t rename column a to b;', 'contract'],
    ['a table that is renamed', 'alter table t rename to u;', 'contract'],
    [
      'a column of another type, in a contracting file too',
      '-- contract: 1.0.0\nalter table t alter column a type bigint;',
      'anew',
    ],
    ['a plain drop of an index, in a contracting file too', '-- contract: 1.0.0\ndrop index i;', 'concurrently'],
    [
      'not null without a proof, in a contracting file too',
      '-- contract: 1.0.0\nalter table t alter column a set not null;',
      'validate it in earlier',
    ],
    ['contracting too early', '-- contract: 1.4.1\nalter table t drop column a;', 'may still run'],
    ['contracting without a version', '-- contract: soon\nalter table t drop column a;', 'names the first version'],
    ['a lock', 'lock table t;', 'stops everybody'],
    ['rows that are changed', 'update t set a = 1;', 'in batches'],
    [
      'rows that are copied under a lock',
      'alter table t add column a text; insert into u select 1 from t;',
      'a file of its own',
    ],
    ['two tables in one transaction', 'alter table t add column a text; alter table u add column a text;', 't and u'],
    [
      'a second one that is referred to',
      'create table n (u text references u); alter table t add column a text;',
      'u and t',
    ],
    ['time-outs of its own', 'set lock_timeout = 0;', 'migrate.ts'],
    ['what they do not know', 'truncate t;', 'migration-rules.ts'],
    ['a block of code', 'do $$ begin end $$;', 'migration-rules.ts'],
    ['a trigger', 'create trigger a before insert on t execute function f();', 'migration-rules.ts'],
  ])('%s', (_, text, says) => {
    const wrong = judge(text);
    expect(wrong).toContain('new.sql: ');
    expect(wrong).toContain(says);
  });
});

describe('the rules for migrations accept', () => {
  const CHECKED = 'alter table t add constraint c check (a is not null) not valid;';
  test.each([
    [
      'a new table with everything',
      "create table n (a text primary key check (a <> '')); create index i on n (a); insert into n values ('b');",
    ],
    [
      'new columns',
      `alter table t add column a text, add column b text not null default '', add column c timestamptz not null default now();`,
    ],
    ['a constraint for new rows', 'alter table t add constraint c check (a > 0) not valid;'],
    ['its validation', 'alter table t validate constraint c; alter table u validate constraint d;'],
    ['a constraint that is replaced', 'alter table t drop constraint c, add constraint c check (a > -1) not valid;'],
    ['an index built while the table stays in use', `-- Why.\n--\n${OUTSIDE}${BUILD}`],
    ['a primary key of an index that is there', 'alter table t add constraint c primary key using index i;'],
    ['rows that are copied by themselves', 'insert into t select a from u on conflict do nothing;'],
    ['what is contracted in time', '-- contract: 1.4.0\nalter table t drop column a;'],
    ['an index that is dropped in time', `-- contract: 0.9.0\n${OUTSIDE}drop index concurrently if exists i;`],
  ])('%s', (_, text) => {
    expect(judge(text)).toBe('');
  });

  test('not null once it is proven', () => {
    const text = '-- contract: 1.4.0\nalter table t alter column a set not null;';
    expect(judge(text, CHECKED, 'alter table t validate constraint c;')).toBe('');
    expect(judge(text, CHECKED)).toContain('validate it');
    expect(judge(text, CHECKED, 'alter table u validate constraint c;')).toContain('validate it');
  });
});

describe('every migration', () => {
  test('keeps the rules', () => {
    const wrong = migrations
      .filter(({ path }) => !BEFORE_THE_RULES.has(path))
      .flatMap((file) => judgeMigration(file, { updatedFrom: updatedFrom(), earlier: before(file) }));
    expect(wrong).toEqual([]);
  });

  test('that was there before the rules is there still: what was released is never renamed', () => {
    const paths = migrations.map(({ path }) => path);
    expect([...BEFORE_THE_RULES].filter((path) => !paths.includes(path))).toEqual([]);
  });

  test('comes after those that were released: one in between would keep every service from starting', () => {
    const between = [...kept.values()].flatMap(({ service, migrations: released }) =>
      migrations
        .filter(({ path }) => dirname(path) === `services/${service}/migrations`)
        .map(({ path }) => basename(path, '.sql'))
        .filter((name) => !released.includes(name) && name < (released.toSorted().at(-1) ?? ''))
        .map((name) => `${service}: ${name}`),
    );
    expect(between).toEqual([]);
  });

  test('has a number of its own', () => {
    const numbers = migrations.map(({ path }) => `${dirname(path)}/${basename(path).slice(0, 4)}`);
    expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([]);
    expect(migrations.filter(({ path }) => !/^\d{4}_[a-z0-9_]+\.sql$/.test(basename(path)))).toEqual([]);
  });
});

function before({ path }: MigrationFile): readonly MigrationFile[] {
  return migrations.filter((other) => dirname(other.path) === dirname(path) && other.path < path);
}
