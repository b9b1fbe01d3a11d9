/**
 * How long what has ended is stored, and how much is.
 */
import type { Stack } from '../../local/stack.ts';

/** Has every flow keep what has ended for so long. */
export async function keepFor(seconds: number, { cluster }: Stack): Promise<void> {
  const path = '/apis/ordertx.dev/v1alpha1/namespaces/default/transactionflows';
  for (const flow of ['create-order', 'pay-order', 'close-order']) {
    const change = { spec: { ttlSecondsAfterFinished: seconds } };
    const { status } = await cluster.admin.request('PATCH', `${path}/${flow}`, change);
    if (status !== 200) throw new Error(`changing the flow ${flow} was answered ${status}`);
  }
}

/** As many as the API server says that a list has. */
export async function storedNow({ cluster }: Stack): Promise<number> {
  const path = '/apis/ordertx.dev/v1alpha1/namespaces/default/ordertransactions?limit=1';
  const { status, body } = await cluster.admin.request('GET', path);
  if (status !== 200) throw new Error(`listing transactions was answered ${status}`);
  const { items, metadata } = body as {
    readonly items: readonly unknown[];
    readonly metadata: { readonly remainingItemCount?: number };
  };
  return items.length + (metadata.remainingItemCount ?? 0);
}
