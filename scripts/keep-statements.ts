/**
 * Keeps what a version sends to its databases, so that tests/rolling can send it to the schema of today:
 * `npm run keep-statements -- <tag or commit>`, when that version has become the one that is updated from.
 *
 * One file for each service and one for the kit, whose statements every service sends. The tests need no history of git; this does.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { renderKept, type Kept } from '../tests/rolling/kept.ts';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'tests/rolling/generated');
/** It is no replica, and reads the databases of others. */
const NO_REPLICA = 'reconcile';

const git = (...args: readonly string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' });

const [reference] = process.argv.slice(2);
if (reference === undefined) throw new Error('usage: npm run keep-statements -- <tag or commit>');
const commit = git('rev-parse', '--short=7', `${reference}^{commit}`).trim();
const { version } = JSON.parse(git('show', `${commit}:package.json`)) as { readonly version: string };

const kept = new Map<string, Kept>();
for (const path of git('ls-tree', '-r', '--name-only', commit, 'services').split('\n')) {
  const [, service, rest] = /^services\/([^/]+)\/(.*)\.sql$/.exec(path) ?? [];
  if (service === undefined || rest === undefined || service === NO_REPLICA || rest.startsWith('testing/')) continue;
  const { migrations, statements } = kept.get(service) ?? { migrations: [], statements: [] };
  const name = basename(rest);
  if (statements.some((each) => each.name === name)) throw new Error(`${service} has two statements ${name}`);
  const isMigration = rest.startsWith('migrations/');
  kept.set(service, {
    ...{ service, version, commit },
    migrations: isMigration ? [...migrations, name] : migrations,
    statements: isMigration ? statements : [...statements, { name, text: git('show', `${commit}:${path}`) }],
  });
}
rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
for (const each of kept.values()) writeFileSync(join(FOLDER, `${each.service}.sql`), renderKept(each));
process.stdout.write(`kept what ${version} (${commit}) sends, of ${[...kept.keys()].join(', ')}\n`);
