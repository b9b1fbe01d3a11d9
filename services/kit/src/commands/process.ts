/**
 * A service's process, whose main.ts imports begin.ts before anything else: `main.ts` serves until a signal comes; `main.ts migrate`,
 * `main.ts settle ...` and `main.ts outbox ...` do one thing and exit.
 */
import { startIsOver } from '../early-signal.ts';
import { closeOnSignal } from '../http/listen.ts';
import { createLog, endOnUncaught } from '../log.ts';
import { outboxCommand } from '../messages/outbox-command.ts';
import type { AnyBranch } from '../participant/branch.ts';
import { settleCommand } from '../participant/settle-command.ts';
import { migrate } from '../postgres/migrate.ts';
import { createPool } from '../postgres/pool.ts';
import type { RunningService } from '../service.ts';
import { BadSettings, EXIT_BAD_SETTINGS } from '../settings.ts';
import { readCommandConfig, readMigrateConfig } from './config.ts';

export interface ServiceProcess {
  readonly name: string;
  start(): Promise<RunningService>;
  /** The folder of its schema's changes, for `migrate`. */
  readonly migrations: URL;
  /** Of a participant: `settle` settles one of them by hand. */
  readonly branches?: () => readonly AnyBranch[];
  /** Whether it starts messages itself: `outbox` shows them and publishes refused ones again. */
  readonly sendsMessages?: boolean;
  /** Of its own, by the word they are called with; each resolves with its exit code. */
  readonly commands?: Readonly<Record<string, (invocation: CommandInvocation) => Promise<number>>>;
}

export interface CommandInvocation {
  /** What follows the command's word. */
  readonly args: readonly string[];
  /** Of the role that serves. */
  readonly databaseUrl: string;
  readonly print: (line: string) => void;
}

export async function runProcess(service: ServiceProcess): Promise<void> {
  endOnUncaught(service.name);
  const [command, ...args] = process.argv.slice(2);
  const { branches, commands = {} } = service;
  const known = [
    'migrate',
    ...(branches ? ['settle'] : []),
    ...(service.sendsMessages === true ? ['outbox'] : []),
    ...Object.keys(commands),
  ];
  if (command === undefined) {
    const { app, closers } = await startOrExit(service);
    closeOnSignal(app, closers);
    startIsOver();
  } else if (!known.includes(command)) {
    const ways = ['without one', ...known.map((each) => `with ${each}`)].join(', or ');
    process.stderr.write(`unknown command ${command}: start it ${ways}\n`);
    process.exitCode = 2;
  } else if (command === 'migrate') {
    await migrateCommand(service);
  } else {
    const config = readCommandConfig();
    const print = (line: string): void => void process.stdout.write(`${line}\n`);
    const own = commands[command];
    if (own !== undefined) {
      process.exitCode = await own({ args, databaseUrl: config.databaseUrl, print });
      return;
    }
    const log = createLog({ name: service.name, level: config.logLevel });
    const applicationName = `${service.name}-${command}`;
    const pool = createPool({ connectionString: config.databaseUrl, applicationName, log });
    process.exitCode =
      command === 'settle'
        ? await settleCommand({ args, pool, branches: branches?.() ?? [], print })
        : await outboxCommand({ args, pool, print });
    await pool.end();
  }
}

/** Any number may run it at once: one makes the changes, the others wait for it and find nothing to do. */
async function migrateCommand({ name, migrations: folder }: ServiceProcess): Promise<void> {
  const { databaseUrl: connectionString, lockTimeoutMs, logLevel } = readMigrateConfig();
  const log = createLog({ name, level: logLevel });
  await migrate({ connectionString, folder, lockTimeoutMs, log });
  log.info('the schema is what this version needs');
}

/** A bad setting is told as those are that were found without asking anyone. */
async function startOrExit(service: ServiceProcess): Promise<RunningService> {
  try {
    return await service.start();
  } catch (error) {
    if (!(error instanceof BadSettings)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_BAD_SETTINGS);
  }
}
