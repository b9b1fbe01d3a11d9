/**
 * What a migration may do to tables that an older version of the service is using.
 *
 * R1  Expand first: the version before works on the new schema. What it needs goes away only in a file that says `-- contract:
 *     <version>`, the first version that does not need it, once that version is the one that is updated from.
 * R2  No lock that stops writers lasts longer than a moment: no index is built, no row read and no table rewritten under one, and one
 *     file, which is one database transaction, takes such a lock on one table that is in use.
 * R3  What takes long stops nobody: indexes are built concurrently, constraints are added NOT VALID and validated in a later file.
 *
 * Statements are read by Postgres's own parser, and what is not known to be safe is refused: whoever needs more adds it here, with the
 * reason why it is.
 */
import {
  loadModule,
  parseSync,
  type AlterTableCmd,
  type ColumnDef,
  type Constraint,
  type InsertStmt,
  type Node,
} from 'libpg-query';

await loadModule();

export interface MigrationFile {
  /** From the repository's root. */
  readonly path: string;
  readonly text: string;
}

export interface Judging {
  /** The folder's files before this one, in their order. */
  readonly earlier: readonly MigrationFile[];
  /** The version that is updated from: the oldest one whose replicas may still run. */
  readonly updatedFrom: string;
}

/** What is wrong with a file, each with its statement and what to do instead. */
export function judgeMigration(file: MigrationFile, judging: Judging): readonly string[] {
  const statements = read(file.text);
  const outside = /^-- no transaction$/m.test(file.text);
  const contract = /^-- contract:(.*)$/m.exec(file.text)?.[1]?.trim();
  const wrong: string[] = [];
  if (contract !== undefined) wrong.push(...judgeContract(contract, judging.updatedFrom));
  if (outside && statements.length !== 1)
    wrong.push('`-- no transaction` is for one statement: give each further one a file of its own');
  const scope = new Scope(statements, { outside, contracts: contract !== undefined, earlier: judging.earlier });
  for (const { node, text } of statements) {
    for (const why of scope.judge(node)) wrong.push(`\`${text.replaceAll(/\s+/g, ' ').slice(0, 90)}\`: ${why}`);
  }
  if (scope.locked.size > 1)
    wrong.push(`it locks ${[...scope.locked].join(' and ')}: give each table that is in use a file of its own`);
  return wrong.map((each) => `${file.path}: ${each}`);
}

interface Statement {
  readonly node: Node;
  readonly text: string;
}

function read(text: string): readonly Statement[] {
  const bytes = Buffer.from(text);
  return (parseSync(text).stmts ?? []).flatMap(({ stmt, stmt_location: from = 0, stmt_len: length }) => {
    const raw = bytes.subarray(from, length === undefined ? undefined : from + length).toString();
    return stmt === undefined ? [] : [{ node: stmt, text: raw.replaceAll(/--.*$/gm, '').trim() }];
  });
}

function judgeContract(version: string, updatedFrom: string): readonly string[] {
  const [needed, from] = [version, updatedFrom].map((each) => /^(\d+)\.(\d+)\.(\d+)$/.exec(each)?.slice(1).map(Number));
  if (needed === undefined || from === undefined)
    return ['`-- contract:` names the first version that does not need what goes, like `-- contract: 1.2.0`'];
  const difference = needed.map((part, index) => part - (from[index] ?? 0)).find((part) => part !== 0) ?? 0;
  if (difference <= 0) return [];
  return [
    `replicas of ${updatedFrom} may still run, and ${version} is the first version that does not need what goes: contract a version later`,
  ];
}

const NOT_KNOWN = 'not known to be safe while the table is in use: if it is, say why in tests/house/migration-rules.ts';
const CONTRACT =
  'the version before may need it: leave it, and take it away a version later, in a file with `-- contract: <first version that does not need it>`';
const IN_BATCHES =
  'the rows it changes stay locked until it is through: let the service change them, in batches, and mark what is done';

interface ScopeOptions {
  readonly outside: boolean;
  readonly contracts: boolean;
  readonly earlier: readonly MigrationFile[];
}

class Scope {
  /** Tables that were there before, and that this file takes a lock on that stops writers. */
  readonly locked = new Set<string>();
  readonly #options: ScopeOptions;
  /** Tables that nobody uses yet. */
  readonly #made = new Set<string>();
  readonly #kinds: ReadonlySet<string>;

  constructor(statements: readonly Statement[], options: ScopeOptions) {
    this.#options = options;
    this.#kinds = new Set(statements.map(({ node }) => kindOf(node)));
  }

  judge(node: Node): readonly string[] {
    const { outside, contracts } = this.#options;
    if ('IndexStmt' in node) {
      const { relation, concurrent = false, if_not_exists: lenient = false, idxname } = node.IndexStmt;
      if (this.#made.has(relation?.relname ?? '')) return [];
      if (!concurrent || !outside)
        return [
          'nobody could write while it is built: `create index concurrently` in a file with the line `-- no transaction`',
        ];
      return lenient || idxname === undefined
        ? ['it has a name and no `if not exists`, which would take an INVALID one for whole']
        : [];
    }
    if ('DropStmt' in node) {
      const { removeType, concurrent = false, missing_ok: lenient = false } = node.DropStmt;
      if (!contracts) return [CONTRACT];
      if (removeType !== 'OBJECT_INDEX' || (concurrent && lenient && outside)) return [];
      return ['`drop index concurrently if exists` in a file with the line `-- no transaction`'];
    }
    if (outside) return ['it needs no `-- no transaction`, and without a transaction half of it may be done'];
    if ('CreateStmt' in node) {
      this.#made.add(node.CreateStmt.relation?.relname ?? '');
      for (const table of referencedBy(node.CreateStmt.tableElts ?? []))
        if (!this.#made.has(table)) this.locked.add(table);
      return [];
    }
    if ('AlterTableStmt' in node) {
      const { relation, cmds = [] } = node.AlterTableStmt;
      const table = relation?.relname ?? '';
      if (this.#made.has(table)) return [];
      const commands = cmds.flatMap((each) => ('AlterTableCmd' in each ? [each.AlterTableCmd] : []));
      if (commands.some(({ subtype }) => subtype !== 'AT_ValidateConstraint')) this.locked.add(table);
      return commands.flatMap((command) => this.#judgeCommand(table, command, commands));
    }
    if ('InsertStmt' in node) return this.#judgeInsert(node.InsertStmt);
    if ('UpdateStmt' in node || 'DeleteStmt' in node) return [IN_BATCHES];
    if ('RenameStmt' in node) return contracts ? [] : [CONTRACT];
    if ('LockStmt' in node) return ['it stops everybody: a migration takes no table lock of its own'];
    if ('TransactionStmt' in node || 'VariableSetStmt' in node)
      return ['migrate.ts begins and ends the transaction and sets its time-outs'];
    return 'CommentStmt' in node ? [] : [NOT_KNOWN];
  }

  /** With a lock in the same transaction, that one would last as long as the copying. */
  #judgeInsert({ relation, selectStmt: rows }: InsertStmt): readonly string[] {
    if (this.#kinds.size === 1) return [];
    const written = rows !== undefined && 'SelectStmt' in rows && rows.SelectStmt.valuesLists !== undefined;
    if (written && this.#made.has(relation?.relname ?? '')) return [];
    return ['copying rows has a file of its own, or the locks of the other statements last as long as it does'];
  }

  #judgeCommand(table: string, command: AlterTableCmd, all: readonly AlterTableCmd[]): readonly string[] {
    const { contracts } = this.#options;
    // Of some sixty kinds, those that are known.
    const subtype: string = command.subtype ?? '';
    switch (subtype) {
      case 'AT_AddColumn':
        return command.def !== undefined && 'ColumnDef' in command.def ? judgeNewColumn(command.def.ColumnDef) : [];
      case 'AT_AddConstraint':
        return command.def !== undefined && 'Constraint' in command.def ? judgeConstraint(command.def.Constraint) : [];
      case 'AT_ValidateConstraint':
        return all.every(({ subtype }) => subtype === 'AT_ValidateConstraint') && this.#kinds.size === 1
          ? []
          : ['it reads the whole table: validate in a later file that does nothing else'];
      case 'AT_DropConstraint':
        return contracts || all.some((other) => nameOfNew(other) === command.name) ? [] : [CONTRACT];
      case 'AT_SetNotNull':
        if (!contracts) return [CONTRACT];
        return isProven(table, command.name ?? '', this.#options.earlier)
          ? []
          : [
              `it reads the whole table: add \`check (${command.name ?? ''} is not null) not valid\` and validate it in earlier files`,
            ];
      case 'AT_ColumnDefault':
        return command.def !== undefined || contracts ? [] : [CONTRACT];
      case 'AT_DropColumn':
        return contracts ? [] : [CONTRACT];
      case 'AT_AlterColumnType':
        return ['it may write the whole table anew: add a column, let the service fill it, and contract the old one'];
      // Of the planner and of vacuum alone.
      case 'AT_SetRelOptions':
      case 'AT_ResetRelOptions':
      case 'AT_SetStatistics':
      case 'AT_DropNotNull':
        return [];
      default:
        return [NOT_KNOWN];
    }
  }
}

function kindOf(node: Node): string {
  const [kind = ''] = Object.keys(node);
  if (!('AlterTableStmt' in node)) return kind;
  const validates = (node.AlterTableStmt.cmds ?? []).every(
    (each) => 'AlterTableCmd' in each && each.AlterTableCmd.subtype === 'AT_ValidateConstraint',
  );
  return validates ? 'validate' : kind;
}

/** A foreign key of a new table stops writers of the one that it refers to until the file is through. */
function referencedBy(elements: readonly Node[]): readonly string[] {
  return elements
    .flatMap((each) => ('ColumnDef' in each ? (each.ColumnDef.constraints ?? []) : [each]))
    .flatMap((each) => ('Constraint' in each ? [each.Constraint.pktable?.relname ?? ''] : []))
    .filter((table) => table !== '');
}

const TYPES_THAT_COUNT = new Set(['smallserial', 'serial', 'bigserial', 'serial2', 'serial4', 'serial8']);
/** Evaluated once for all rows there are. */
const STABLE = new Set(['now', 'current_timestamp', 'transaction_timestamp', 'statement_timestamp']);

function judgeNewColumn({ typeName, constraints = [] }: ColumnDef): readonly string[] {
  const types = (typeName?.names ?? []).flatMap((each) => ('String' in each ? [each.String.sval ?? ''] : []));
  const own = constraints.flatMap((each) => ('Constraint' in each ? [each.Constraint] : []));
  const byDefault = own.find(({ contype }) => contype === 'CONSTR_DEFAULT')?.raw_expr;
  const wrong: string[] = [];
  if (types.some((type) => TYPES_THAT_COUNT.has(type)) || (byDefault !== undefined && !isStable(byDefault)))
    wrong.push(
      'its default differs from row to row, so the whole table is written anew: add it without one, then set it',
    );
  for (const { contype } of own) {
    if (contype === 'CONSTR_NOTNULL' && byDefault === undefined)
      wrong.push('the version before does not fill it: give it a default, or leave out `not null`');
    else if (contype === 'CONSTR_CHECK' || contype === 'CONSTR_FOREIGN')
      wrong.push(
        'its constraint is checked for every row: `add constraint ... not valid`, and validate it in a later file',
      );
    else if (contype === 'CONSTR_PRIMARY' || contype === 'CONSTR_UNIQUE')
      wrong.push('its index is built while nobody can write: build it concurrently in a file with `-- no transaction`');
    else if (contype === 'CONSTR_IDENTITY' || contype === 'CONSTR_GENERATED')
      wrong.push('the whole table is written anew: let the service fill the column');
  }
  return wrong;
}

function isStable(expression: Node): boolean {
  if ('A_Const' in expression || 'SQLValueFunction' in expression) return true;
  if ('TypeCast' in expression) return expression.TypeCast.arg !== undefined && isStable(expression.TypeCast.arg);
  if (!('FuncCall' in expression)) return false;
  const names = (expression.FuncCall.funcname ?? []).flatMap((each) =>
    'String' in each ? [each.String.sval ?? ''] : [],
  );
  return STABLE.has(names.at(-1) ?? '');
}

function judgeConstraint({ contype, skip_validation: later = false, indexname }: Constraint): readonly string[] {
  const kind: string = contype ?? '';
  switch (kind) {
    case 'CONSTR_CHECK':
    case 'CONSTR_FOREIGN':
    case 'CONSTR_NOTNULL':
      return later
        ? []
        : ['every row is read while nobody can write: add it `not valid`, and validate it in a later file'];
    case 'CONSTR_PRIMARY':
    case 'CONSTR_UNIQUE':
      if (indexname !== undefined) return [];
      return [
        'its index is built while nobody can write: build it concurrently in a file of its own, then `add constraint ... using index`',
      ];
    default:
      return [NOT_KNOWN];
  }
}

function nameOfNew({ subtype, def }: AlterTableCmd): string | undefined {
  return subtype === 'AT_AddConstraint' && def !== undefined && 'Constraint' in def
    ? def.Constraint.conname
    : undefined;
}

/** Whether earlier files have added and validated a check that says just that: Postgres then reads no row. */
function isProven(table: string, column: string, earlier: readonly MigrationFile[]): boolean {
  const commands = earlier
    .flatMap(({ text }) => read(text))
    .flatMap(({ node }) =>
      'AlterTableStmt' in node && node.AlterTableStmt.relation?.relname === table ? [node.AlterTableStmt] : [],
    )
    .flatMap(({ cmds = [] }) => cmds.flatMap((each) => ('AlterTableCmd' in each ? [each.AlterTableCmd] : [])));
  const validated = new Set(
    commands.filter(({ subtype }) => subtype === 'AT_ValidateConstraint').map(({ name }) => name),
  );
  return commands.some((command) => {
    const { def } = command;
    if (nameOfNew(command) === undefined || !validated.has(nameOfNew(command)) || def === undefined) return false;
    if (!('Constraint' in def)) return false;
    const { raw_expr: test } = def.Constraint;
    if (test === undefined || !('NullTest' in test) || test.NullTest.nulltesttype !== 'IS_NOT_NULL') return false;
    const { arg } = test.NullTest;
    const field = arg !== undefined && 'ColumnRef' in arg ? arg.ColumnRef.fields?.at(-1) : undefined;
    return field !== undefined && 'String' in field && field.String.sval === column;
  });
}
