/**
 * The member service's process: `main.ts` serves, `main.ts migrate` brings its schema up to date and exits.
 */
import '../../kit/src/begin.ts';
import { runProcess } from '../../kit/src/index.ts';
import { readConfig } from './config.ts';
import { migrations, startMember } from './service.ts';

await runProcess({ name: 'member', migrations, start: () => startMember(readConfig()) });
