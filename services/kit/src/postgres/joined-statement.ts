/**
 * A change that happens once, in one statement: the row that makes it happen once (of the fence, of the inbox) and the business change
 * are one statement and so one database transaction, with one round trip and no BEGIN and COMMIT of its own.
 *
 * It covers the usual case only, and does that whole or not at all. For everything else whoever runs it goes step by step: the row
 * first, then what it says, then the business.
 *
 * 1. A business change is a file `with claimed as (select), ... select * from outcome`. It changes nothing unless the relation `claimed`
 *    has its one row, and `outcome` is one row whose `done` says whether everything was changed.
 * 2. Alone, as the file says it, `claimed` is a row out of nothing: its caller has the row already, and looks at `done` itself. So both
 *    ways do the same.
 * 3. Joined, `claimed` is the row that was taken just now; it comes first, because everything else reads from it. Not taken: nothing is
 *    changed and no row comes back. Taken, but not `done`: the statement fails, which undoes all of it.
 * 4. A statement that fails is an error in the server's log, so what is seen beforehand to come to nothing claims nothing: `likely` is a
 *    row where it will probably be done.
 * 5. The whole statement sees what was committed before it began, also where it had to wait for the claim. So a business change locks
 *    what it changes, or inserts it `on conflict do nothing`: both look again at the newest row, and otherwise it is not done.
 */
import { DatabaseError, type Pool, type PoolClient } from 'pg';
import { passing } from './errors.ts';

/** The row of `outcome`. */
export interface StatementOutcome {
  readonly done: boolean;
}

export interface JoinedStatement<Row extends StatementOutcome = StatementOutcome> {
  /** Of the prepared statement. */
  readonly name: string;
  readonly text: string;
  readonly likely: string;
  /** Only for the compiler: what `outcome` has. */
  readonly row?: Row;
}

/** A statement `with likely as (select) ...` that returns a text column `key` of the row it took, and reads from `likely`. */
export interface Claim {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

const CLAIMED_ALONE = 'with claimed as (select), ';
const ALONE_END = 'select * from outcome';
const LIKELY_ALONE = 'with likely as (select)';

/** @param likely a select over the same parameters; without it, it is always likely */
export function joinedStatement<Row extends StatementOutcome = StatementOutcome>(
  name: string,
  file: string,
  likely = 'select',
): JoinedStatement<Row> {
  const text = withoutComments(file);
  if (!text.startsWith(CLAIMED_ALONE) || !text.endsWith(ALONE_END))
    throw new Error(`${name} must begin '${CLAIMED_ALONE}' and end '${ALONE_END}'`);
  return { name, text, likely: withoutComments(likely) };
}

/** The business change alone, in the caller's database transaction. */
export async function runAlone<Row extends StatementOutcome>(
  client: PoolClient,
  { name, text }: JoinedStatement<Row>,
  values: readonly unknown[],
): Promise<Row> {
  const { rows } = await client.query<Row>({ name, text, values: [...values] });
  const [row] = rows;
  if (row === undefined) throw new Error(`${name} gave no outcome`);
  return row;
}

/** A statement with its values, to be joined with whatever claims the row. */
export interface UsualCase {
  /** Both, and committed; false where it is not the usual case, and then nothing was changed. Rejects with any other error. */
  run(pool: Pool, claim: Claim): Promise<boolean>;
}

/** @param afterwards runs once it is committed, with the row of `outcome`. */
export function usualCase<Row extends StatementOutcome>(
  statement: JoinedStatement<Row>,
  values: readonly unknown[],
  afterwards?: (row: Row) => void,
): UsualCase {
  return {
    async run(pool, claim) {
      const row = await runJoined(pool, statement, values, claim);
      if (row === undefined) return false;
      afterwards?.(row);
      return true;
    },
  };
}

/** invalid_text_representation: what the cast of a claim that is not done fails with. */
const NOT_DONE = '22P02';

async function runJoined<Row extends StatementOutcome>(
  pool: Pool,
  statement: JoinedStatement<Row>,
  values: readonly unknown[],
  claim: Claim,
): Promise<Row | undefined> {
  const name = `${statement.name} ${claim.name}`;
  const text = joinedText(statement, claim, values.length);
  // Not by `pool.query`, which closes the connection after every error.
  const client = await pool.connect();
  let isUsable = true;
  try {
    const { rows } = await client.query<Row>({ name, text, values: [...values, ...claim.values] });
    return rows[0];
  } catch (error) {
    if (error instanceof DatabaseError && error.code === NOT_DONE) return undefined;
    isUsable = passing(error) === 'contended';
    throw error;
  } finally {
    client.release(!isUsable);
  }
}

const texts = new WeakMap<JoinedStatement, Map<string, string>>();

function joinedText(statement: JoinedStatement, claim: Claim, valuesBefore: number): string {
  const known = texts.get(statement) ?? new Map<string, string>();
  texts.set(statement, known);
  const before = known.get(claim.name);
  if (before !== undefined) return before;
  const business = statement.text.slice(CLAIMED_ALONE.length, -ALONE_END.length);
  const claimed = withoutComments(claim.text)
    .slice(LIKELY_ALONE.length)
    .replaceAll(/\$(\d+)/g, (_, number: string) => `$${Number(number) + valuesBefore}`);
  const text =
    `with likely as (${statement.likely}), claimed as (${claimed}), ${business}` +
    `select outcome.*, case when done then true else (claimed.key || ' is not as usual')::boolean end as usual ` +
    `from outcome, claimed`;
  known.set(claim.name, text);
  return text;
}

function withoutComments(text: string): string {
  return text.replaceAll(/--.*$/gm, '').trim();
}
