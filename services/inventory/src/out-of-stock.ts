/**
 * Out of stock, in words.
 *
 * The sentence travels through the transaction to the order's history and to the customer's 409, so it is written for the
 * people who answer the phone: which SKU, how many were wanted, how many are left.
 */

export interface MissingStock {
  readonly skuId: string;
  readonly wanted: number;
  readonly left: number;
}

export function outOfStock(missing: readonly MissingStock[]): string {
  const each = missing.map(
    ({ skuId, wanted, left }) => `${skuId} (${wanted} wanted, ${left === 0 ? 'none' : left} left)`,
  );
  return `out of stock: ${each.join(', ')}`;
}
