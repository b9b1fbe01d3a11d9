/**
 * The inventory service's process: `main.ts` serves, `main.ts settle ...` settles one branch by hand and exits.
 */
import '../../kit/src/begin.ts';
import { runProcess } from '../../kit/src/index.ts';
import { readConfig } from './config.ts';
import { branches, migrations, startInventory } from './service.ts';

await runProcess({
  name: 'inventory',
  migrations,
  start: () => startInventory(readConfig()),
  branches: () => branches,
});
