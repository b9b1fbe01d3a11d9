/**
 * The invariant check: tests, the demo and the chaos runs all ask this one.
 */
import { readBooks, type Sources } from '../../services/reconcile/src/read-books.ts';
import { judge } from '../../services/reconcile/src/invariants.ts';
import type { Violation } from '../../services/reconcile/src/violation.ts';

export type { Sources } from '../../services/reconcile/src/read-books.ts';
export type { Violation } from '../../services/reconcile/src/violation.ts';

/** Every violation, named and with the ids concerned; none when all is well. Ask when nothing is under way. */
export async function checkInvariants(sources: Sources): Promise<readonly Violation[]> {
  return judge(await readBooks(sources));
}
