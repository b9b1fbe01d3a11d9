/**
 * psql.ts as a program, with psql's own arguments: for a script that runs `psql`, on a machine that has none.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runPsql } from './psql.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quiet: { type: 'boolean' },
    'no-psqlrc': { type: 'boolean' },
    username: { type: 'string', default: 'postgres' },
    dbname: { type: 'string', default: 'postgres' },
    variable: { type: 'string', multiple: true, default: [] },
    file: { type: 'string', default: '' },
  },
});
const socket = encodeURIComponent(process.env.PGHOST ?? '');
const given = Object.fromEntries(values.variable.map((each) => each.split('=') as [string, string]));
const [url = `postgres://${values.username}@${socket}/${values.dbname}`] = positionals;
await runPsql(url, readFileSync(values.file, 'utf8'), given);
