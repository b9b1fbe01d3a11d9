/**
 * What is wrong with the data of a whole system that runs on this machine: of all its databases and its cluster. Ask when nothing is under way.
 */
import type { OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { ServiceName } from '../../local/services.ts';
import type { Stack } from '../../local/stack.ts';
import { checkInvariants, type Violation } from './check-invariants.ts';

export async function violationsOf({ cluster, business }: Stack): Promise<readonly Violation[]> {
  const { status, body } = await cluster.admin.request('GET', '/apis/ordertx.dev/v1alpha1/ordertransactions');
  if (status !== 200) throw new Error(`the transactions could not be listed (${status}): ${JSON.stringify(body)}`);
  const { items } = body as { readonly items: readonly OrderTransaction[] };
  const services = Object.entries(business.services);
  const databases = Object.fromEntries(services.map(([name, { databaseUrl }]) => [name, databaseUrl]));
  return checkInvariants({ databases: databases as Record<ServiceName, string>, transactions: items });
}
