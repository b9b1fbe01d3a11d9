/**
 * `npm run up`: the whole system on this machine until Ctrl-C.
 *
 *   npm run up -- [--controllers N] [--restart] [--dir FOLDER]
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { onEnd } from './interruption.ts';
import { say } from './progress.ts';
import { startStack, type Stack } from './stack.ts';

const CONTROLLERS_MAX = 9;

function readArguments() {
  const { values } = parseArgs({
    options: {
      controllers: { type: 'string', default: '1' },
      restart: { type: 'boolean', default: false },
      dir: { type: 'string', default: join(import.meta.dirname, '..', '.ordertx') },
    },
  });
  const controllers = Number(values.controllers);
  if (!Number.isInteger(controllers) || controllers < 1 || controllers > CONTROLLERS_MAX) {
    throw new Error(`--controllers must be a number from 1 to ${CONTROLLERS_MAX}, not ${values.controllers}`);
  }
  return { controllers, restart: values.restart, folder: resolve(values.dir) };
}

function greet(stack: Stack, folder: string): void {
  const { services, controllers, kubeconfig } = stack.description();
  const rows = [
    ...Object.entries(services).map(([name, { url }]) => `  ${name.padEnd(14)}${url}   (${url}/openapi.json)`),
    ...controllers.map(({ url }, index) => `  ${`controller ${index + 1}`.padEnd(14)}${url}/metrics`),
  ];
  console.log(`
ordertx is up. Ctrl-C ends it and leaves nothing behind.

${rows.join('\n')}

  stack.json    ${join(folder, 'stack.json')}
  logs          ${join(folder, 'logs')}

  export KUBECONFIG=${kubeconfig}
  kubectl get ordertransactions --watch        (no kubectl? ${stack.cluster.kubectl})

  curl -X PUT ${services.inventory.url}/stock/tea -H 'content-type: application/json' -d '{"stocked": 10}'
  curl ${services.order.url}/orders -H 'content-type: application/json' -H 'idempotency-key: first' \\
    -H 'prefer: wait=10' -d '{"userId": "ann", "lines": [{"skuId": "tea", "quantity": 2, "unitPriceCents": 450}]}'
`);
}

async function up(): Promise<number> {
  const options = readArguments();
  const end = onEnd();
  const stack = await startStack(options, end.signal);
  greet(stack, options.folder);
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
