/**
 * The order service's process: `main.ts` serves, `main.ts settle ...` settles one branch by hand and exits.
 */
import { closeOnSignal, createLog, createPool, settleCommand } from '../../kit/src/index.ts';
import { readConfig, readSettleConfig } from './config.ts';
import { branches, startOrder } from './service.ts';

const [command, ...args] = process.argv.slice(2);

if (command === 'settle') {
  const config = readSettleConfig();
  const log = createLog({ name: 'order', level: config.logLevel });
  const pool = createPool({ connectionString: config.databaseUrl, applicationName: 'order-settle', log });
  process.exitCode = await settleCommand({ args, pool, branches, print: (line) => process.stdout.write(`${line}\n`) });
  await pool.end();
} else if (command === undefined) {
  const { app, closers } = await startOrder(readConfig());
  closeOnSignal(app, closers);
} else {
  process.stderr.write(`unknown command ${command}: start it without one, or with settle\n`);
  process.exitCode = 2;
}
