/**
 * The command `creations` of the order service's process: hands each subcommand what it needs, and asks for no setting that it does not.
 */
import { createLog, createPool, type CommandInvocation } from '../../../kit/src/index.ts';
import { readCancelConfig, readCreationsConfig } from '../config.ts';
import { paymentService } from '../payments/payment-service.ts';
import { againCommand } from './again-command.ts';
import { cancelCommand } from './cancel-command.ts';
import { givenUpCommand } from './given-up-command.ts';
import { CREATIONS_USAGE } from './usage.ts';

export async function creationsCommand(invocation: CommandInvocation): Promise<number> {
  const [verb = '', ...args] = invocation.args;
  const { databaseUrl, print } = invocation;
  const log = createLog({ name: 'order', level: 'error' });
  const openPool = () => createPool({ connectionString: databaseUrl, applicationName: 'order-creations', log });
  switch (verb) {
    case 'again':
      return againCommand({ args, databaseUrl, print, keptDays: readCreationsConfig().creationsKeptDays });
    case 'given-up': {
      const pool = openPool();
      const code = await givenUpCommand({ args, pool, print });
      await pool.end();
      return code;
    }
    case 'cancel': {
      const payments = paymentService(readCancelConfig().paymentUrl);
      const pool = openPool();
      const code = await cancelCommand({ args, pool, payments, print });
      await Promise.all([pool.end(), payments.close()]);
      return code;
    }
    default:
      print(`say what to do with the creations: again, given-up or cancel\n${CREATIONS_USAGE}`);
      return 2;
  }
}
