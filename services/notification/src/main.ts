/**
 * The notification service's process.
 */
import '../../kit/src/begin.ts';
import { runProcess } from '../../kit/src/index.ts';
import { readConfig } from './config.ts';
import { startNotification } from './service.ts';

await runProcess({ name: 'notification', start: () => startNotification(readConfig()) });
