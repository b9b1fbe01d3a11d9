/**
 * The warehouse service's process: `main.ts` serves, `main.ts outbox ...` shows its messages and publishes refused ones again.
 */
import '../../kit/src/begin.ts';
import { runProcess } from '../../kit/src/index.ts';
import { readConfig } from './config.ts';
import { startWms } from './service.ts';

await runProcess({ name: 'wms', start: () => startWms(readConfig()), sendsMessages: true });
