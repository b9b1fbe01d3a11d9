/**
 * The order service's process: `main.ts` serves, `main.ts settle ...` settles one branch by hand and exits.
 */
import { runProcess } from '../../kit/src/index.ts';
import { readConfig, readSettleConfig } from './config.ts';
import { branches, startOrder } from './service.ts';

await runProcess({
  name: 'order',
  start: () => startOrder(readConfig()),
  branches: () => branches(readSettleConfig()),
});
