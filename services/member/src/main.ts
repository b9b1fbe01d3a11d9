/**
 * The member service's process.
 */
import '../../kit/src/begin.ts';
import { runProcess } from '../../kit/src/index.ts';
import { readConfig } from './config.ts';
import { startMember } from './service.ts';

await runProcess({ name: 'member', start: () => startMember(readConfig()) });
