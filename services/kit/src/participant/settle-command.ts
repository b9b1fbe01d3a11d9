/**
 * The command line of `settle`: `node services/inventory/src/main.ts settle --transaction shop/create-o1001 --branch inventory
 * --as Confirmed --reason "stock was moved by hand" [--path /tcc/create-order] [--payload payload.json]`.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Pool } from 'pg';
import { formatTransaction, parseTransaction, type TransactionName } from '../../../protocol/src/index.ts';
import { describeIssues, inexactIssue, nestingIssue } from '../http/validate.ts';
import { sqlFile } from '../postgres/sql.ts';
import type { AnyBranch } from './branch.ts';
import { describeSettled, settle, type SettleOptions } from './settle.ts';

export interface SettleCommand {
  /** What follows the word `settle`. */
  readonly args: readonly string[];
  readonly pool: Pool;
  readonly branches: readonly AnyBranch[];
  readonly print: (line: string) => void;
}

export const SETTLE_USAGE =
  'settle --transaction <namespace>/<name> --branch <name> --as Confirmed|Cancelled --reason "<why>" [--path </tcc/...>] [--payload <file.json>]';

/** Also the fence row's limit, so that nobody stores a novel. */
const REASON_CHARS_MAX = 1_024;

const selectBranchPath = sqlFile(import.meta.url, './sql/select-branch-path.sql');

/** Resolves with the exit code: 0 settled (now or before), 1 nothing was changed, or nobody knows, 2 the command line is not usable. */
export async function settleCommand(command: SettleCommand): Promise<number> {
  try {
    return await runSettle(command);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    command.print(
      `it is not known whether anything was changed: ${why}\nrun the same command again; it does nothing twice`,
    );
    return 1;
  }
}

async function runSettle(command: SettleCommand): Promise<number> {
  const asked = await readArguments(command);
  if (typeof asked === 'string') {
    command.print(`${asked}\nusage: ${SETTLE_USAGE}`);
    return 2;
  }
  const settled = await settle(asked);
  command.print(describeSettled(asked, settled));
  return settled.kind === 'settled' || settled.kind === 'already' ? 0 : 1;
}

/** A sentence where the arguments are not usable. */
async function readArguments({ args, pool, branches }: SettleCommand): Promise<SettleOptions | string> {
  const values = parse(args);
  if (typeof values === 'string') return values;
  const transaction = parseTransaction(values.transaction ?? '');
  if (transaction === undefined) return '--transaction must be <namespace>/<name>';
  const { as } = values;
  if (as !== 'Confirmed' && as !== 'Cancelled')
    return '--as must be Confirmed or Cancelled: what the transaction has decided';
  const reason = values.reason?.trim() ?? '';
  if (reason === '' || reason.length > REASON_CHARS_MAX)
    return `--reason must say why, in at most ${REASON_CHARS_MAX} characters`;
  const branch = await chooseBranch(pool, branches, transaction, values);
  if (typeof branch === 'string') return branch;
  const payload = values.payload === undefined ? undefined : await readPayload(values.payload);
  if (typeof payload === 'string') return payload;
  return { pool, branch, transaction, as, reason, ...(payload === undefined ? {} : { payload: payload.value }) };
}

interface Arguments {
  readonly transaction?: string;
  readonly branch?: string;
  readonly path?: string;
  readonly as?: string;
  readonly reason?: string;
  readonly payload?: string;
}

function parse(args: readonly string[]): Arguments | string {
  const string = { type: 'string' } as const;
  try {
    const options = { transaction: string, branch: string, path: string, as: string, reason: string, payload: string };
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A branch of one name may stand at several paths (one per flow): the fence row knows which, else the person says it. */
async function chooseBranch(
  pool: Pool,
  branches: readonly AnyBranch[],
  transaction: TransactionName,
  values: Arguments,
): Promise<AnyBranch | string> {
  const named = branches.filter(({ branch }) => branch === values.branch);
  if (named.length === 0)
    return `--branch must be one of: ${[...new Set(branches.map(({ branch }) => branch))].join(', ')}`;
  const { rows } = await pool.query<{ path: string }>(selectBranchPath, [
    formatTransaction(transaction),
    values.branch,
  ]);
  const path = values.path ?? rows[0]?.path;
  const candidates = path === undefined ? named : named.filter((branch) => branch.path === path);
  const [only, ...others] = candidates;
  if (only !== undefined && others.length === 0) return only;
  return `--path must be one of: ${named.map((branch) => branch.path).join(', ')}`;
}

async function readPayload(file: string): Promise<{ readonly value: unknown } | string> {
  try {
    const text = await readFile(file, 'utf8');
    const value: unknown = JSON.parse(text);
    const issue = nestingIssue(text) ?? inexactIssue(text);
    return issue === undefined ? { value } : describeIssues([issue], '--payload', '--payload: ');
  } catch (error) {
    return `--payload must be a file with JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
