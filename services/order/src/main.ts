/**
 * The order service's process: `main.ts` serves, `main.ts settle ...` settles one branch by hand, `main.ts creations again ...` has
 * ended creations made once more.
 */
import { runProcess } from '../../kit/src/index.ts';
import { readConfig, readCreationsConfig, readSettleConfig } from './config.ts';
import { againCommand } from './creation/again-command.ts';
import { branches, startOrder } from './service.ts';

await runProcess({
  name: 'order',
  start: () => startOrder(readConfig()),
  branches: () => branches(readSettleConfig()),
  commands: {
    creations: (invocation) => againCommand({ ...invocation, keptDays: readCreationsConfig().creationsKeptDays }),
  },
});
