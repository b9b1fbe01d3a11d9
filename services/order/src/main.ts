/**
 * The order service's process: `main.ts` serves, `main.ts settle ...` settles one branch by hand, `main.ts creations again ...` has
 * ended creations made once more, `main.ts creations given-up` and `creations cancel ...` deal with those that are not sent any more.
 */
import { createLog, createPool, runProcess, type CommandInvocation } from '../../kit/src/index.ts';
import { readConfig, readCreationsConfig, readGivenUpConfig, readSettleConfig } from './config.ts';
import { againCommand } from './creation/again-command.ts';
import { givenUpCommand } from './creation/given-up-command.ts';
import { paymentService } from './payments/payment-service.ts';
import { branches, startOrder } from './service.ts';

await runProcess({
  name: 'order',
  start: () => startOrder(readConfig()),
  branches: () => branches(readSettleConfig()),
  commands: { creations },
});

async function creations(invocation: CommandInvocation): Promise<number> {
  const [verb] = invocation.args;
  if (verb !== 'given-up' && verb !== 'cancel')
    return againCommand({ ...invocation, keptDays: readCreationsConfig().creationsKeptDays });
  const { args, databaseUrl, print } = invocation;
  const payments = paymentService(readGivenUpConfig().paymentUrl);
  const log = createLog({ name: 'order', level: 'error' });
  const pool = createPool({ connectionString: databaseUrl, applicationName: 'order-creations', log });
  const code = await givenUpCommand({ args, pool, payments, print });
  await Promise.all([pool.end(), payments.close()]);
  return code;
}
