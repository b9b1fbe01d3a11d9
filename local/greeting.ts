/**
 * What `up` prints once everything answers: where things are, and commands that work as they are printed, one a line, in any POSIX shell.
 */
import { join } from 'node:path';
import type { StackDescription } from './stack.ts';

/** Stocks tea, places an order of it, and pays it: the provider's call needs no signature here. */
export function customerCommands({ services }: Pick<StackDescription, 'services'>): readonly string[] {
  const { inventory, order, payment } = services;
  const json = `-H 'content-type: application/json'`;
  const field = (name: string): string => `node -p 'JSON.parse(fs.readFileSync(0)).${name}'`;
  const lines = `{"userId": "ann", "lines": [{"skuId": "tea", "quantity": 2, "unitPriceCents": 450}]}`;
  return [
    `curl -s -w '\\n' -X PUT ${inventory.url}/stock/tea ${json} -d '{"stocked": 1000}'`,
    `order=$(curl -s ${order.url}/orders ${json} -H "idempotency-key: $(date +%s)" -H 'prefer: wait=10' -d '${lines}' | ${field('orderId')})`,
    `payment=$(curl -s ${payment.url}/payments ${json} -d "{\\"orderId\\": \\"$order\\"}" | ${field('paymentId')})`,
    `curl -s -w '\\n' -X POST ${payment.url}/payments/$payment/pay`,
    `curl -s -w '\\n' ${order.url}/orders/$order`,
  ];
}

export function greeting(description: StackDescription, folder: string, kubectl: string): string {
  const { services, controllers, kubeconfig } = description;
  const rows = [
    ...Object.entries(services).map(([name, { url }]) => `  ${name.padEnd(14)}${url}   (${url}/openapi.json)`),
    ...controllers.map(({ url }, index) => `  ${`controller ${index + 1}`.padEnd(14)}${url}/metrics`),
  ];
  return `
ordertx is up. Ctrl-C ends it and leaves nothing behind.

${rows.join('\n')}

  stack.json    ${join(folder, 'stack.json')}
  logs          ${join(folder, 'logs')}

In another terminal: stock something, place an order, pay it, and look at it, which is PAID a moment later:

${customerCommands(description).join('\n')}

Its transactions (no kubectl? it is ${kubectl}):

export KUBECONFIG=${kubeconfig}
kubectl get otx -o wide
`;
}
