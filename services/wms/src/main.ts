/**
 * The warehouse service's process: `main.ts` serves, `main.ts outbox ...` shows its messages and publishes refused ones again.
 */
import '../../kit/src/begin.ts';
import { runProcess } from '../../kit/src/index.ts';
import { readConfig } from './config.ts';
import { migrations, startWms } from './service.ts';

await runProcess({ name: 'wms', migrations, start: () => startWms(readConfig()), sendsMessages: true });
