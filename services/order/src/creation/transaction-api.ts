/**
 * The relay's port to the API server: one verb, because this service may create transactions and nothing else.
 */
import type { NewTransaction } from './creation.ts';

/** How a creation ended. `unavailable` tells nothing about whether the object is there: send it again. */
export type CreateResult =
  | { readonly kind: 'created' }
  /** An object of this name is there: it is ours, names are attempts' keys. */
  | { readonly kind: 'exists' }
  /** The object itself is not acceptable (400, 413, 422): repeating it helps only after somebody has changed a rule. */
  | { readonly kind: 'refused'; readonly error: string }
  /** Its namespace is not there, or is being deleted: nothing can be created in it until somebody makes it again. */
  | { readonly kind: 'namespace-gone'; readonly error: string }
  /** No answer, or one that is about the server or our rights and not about the object. */
  | { readonly kind: 'unavailable'; readonly error: string };

export interface TransactionApi {
  /** Resolves, never rejects. */
  create(transaction: NewTransaction): Promise<CreateResult>;
}
