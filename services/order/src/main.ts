/**
 * The order service's process: `main.ts` serves, `main.ts settle ...` settles one branch by hand, `main.ts creations again ...` has
 * ended creations made once more, `main.ts creations given-up` and `creations cancel ...` deal with those that are not sent any more.
 */
import '../../kit/src/begin.ts';
import { runProcess } from '../../kit/src/index.ts';
import { readConfig, readSettleConfig } from './config.ts';
import { creationsCommand } from './creation/creations-command.ts';
import { branches, migrations, startOrder } from './service.ts';

await runProcess({
  name: 'order',
  migrations,
  start: () => startOrder(readConfig()),
  branches: () => branches(readSettleConfig()),
  commands: { creations: creationsCommand },
});
