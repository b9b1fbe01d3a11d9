/**
 * `npm run up`: the whole system on this machine until Ctrl-C.
 *
 *   npm run up -- [--controllers N] [--restart] [--dir FOLDER] [--gogc PERCENT]
 *
 * What is killed stays dead, and `kill -USR2` of this process, which it prints then, starts it again; with --restart all comes back by itself.
 *
 * --gogc is the API server's; ORDERTX_API_SERVER_GOGC says the same where the option does not (docs/operating/sizing.md).
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { greeting } from './greeting.ts';
import { onEnd } from './interruption.ts';
import { readGogc, withGogc } from './gogc.ts';
import { say } from './progress.ts';
import { startStack } from './stack.ts';

const CONTROLLERS_MAX = 9;
function readApiServerGogc(option: string | undefined): number | undefined {
  if (option !== undefined) return readGogc('--gogc', option);
  const variable = process.env.ORDERTX_API_SERVER_GOGC;
  return variable ? readGogc('ORDERTX_API_SERVER_GOGC', variable) : undefined;
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      controllers: { type: 'string', default: '1' },
      restart: { type: 'boolean', default: false },
      gogc: { type: 'string' },
      dir: { type: 'string', default: join(import.meta.dirname, '..', '.ordertx') },
    },
  });
  const controllers = Number(values.controllers);
  if (!Number.isInteger(controllers) || controllers < 1 || controllers > CONTROLLERS_MAX) {
    throw new Error(`--controllers must be a number from 1 to ${CONTROLLERS_MAX}, not ${values.controllers}`);
  }
  return {
    ...{ controllers, restart: values.restart, folder: resolve(values.dir) },
    ...withGogc(readApiServerGogc(values.gogc)),
  };
}

async function up(): Promise<number> {
  const options = readArguments();
  const end = onEnd();
  // SIGUSR1 is Node's own.
  const stack = await startStack({ ...options, reviveCommand: `kill -USR2 ${process.pid}` }, end.signal);
  process.on('SIGUSR2', () => void stack.revive());
  console.log(greeting(stack.description(), options.folder, stack.cluster.kubectl));
  const reason = await Promise.race([end.reason, stack.broken.then((error) => error.message)]);
  say(`${reason}; stopping everything`);
  await stack.close();
  say('stopped');
  return end.signal.aborted ? 0 : 1;
}

try {
  process.exit(await up());
} catch (error) {
  say((error as Error).message === 'interrupted' ? 'interrupted; nothing was left running' : (error as Error).message);
  process.exit(1);
}
