/**
 * The dispatch service's process.
 */
import '../../kit/src/begin.ts';
import { runProcess } from '../../kit/src/index.ts';
import { readConfig } from './config.ts';
import { startDispatch } from './service.ts';

await runProcess({ name: 'dispatch', start: () => startDispatch(readConfig()) });
