/**
 * The process of `reconcile`: reads every service's database, says what disagrees, and exits.
 */
import { readDatabases } from './config.ts';
import { reconcileCommand } from './command.ts';

process.exitCode = await reconcileCommand({
  args: process.argv.slice(2),
  databases: () => readDatabases(),
  print: (line) => void process.stdout.write(`${line}\n`),
  note: (line) => void process.stderr.write(`${line}\n`),
});
