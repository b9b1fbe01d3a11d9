/**
 * A release that a run has left half-way: whoever is cut off in the midst of helm's work (Ctrl-C, a machine that goes to sleep) leaves a
 * record "pending", and helm refuses everything from then on: "another operation (install/upgrade/rollback) is in progress".
 *
 * Helm keeps a record of each revision as a secret. Without the pending one the revision before counts, or none; what its run had made
 * by then is there, carries the release's marks and is taken over by the next run.
 */
import type { Target } from './release.ts';

const PENDING = 'pending-install,pending-upgrade,pending-rollback';

/** @returns the records that were removed; none where nothing had been left half-way. */
export async function forgetCutOff(
  { release }: Pick<Target, 'release'>,
  /** In the release's namespace, which may not be there yet. */
  kubectl: (...args: readonly string[]) => Promise<string>,
): Promise<readonly string[]> {
  const selector = `owner=helm,name=${release},status in (${PENDING})`;
  const found = await kubectl('get', 'secrets', '--selector', selector, '--output', 'name');
  const records = found.split('\n').filter((line) => line !== '');
  if (records.length > 0) await kubectl('delete', ...records);
  return records;
}
