/**
 * Runs a table of illegal steps against the real API server, each beside the nearest legal one.
 *
 * A row stores its `given` steps, sees the illegal one refused with the sentence it names, and the legal one accepted
 * from exactly the same stored state: so a rule that refuses too much fails as well as one that refuses too little.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ApiServer } from '../../local/control-plane/api.ts';
import { freshNamespace } from '../world/world.ts';
import { connectAsAdmin, storeTransaction, type Step } from './stored-transaction.ts';

export interface IllegalStep {
  /** The rule as a sentence: the test's name. */
  readonly rule: string;
  /** Stored one after the other before; default: a new transaction without status. */
  readonly given?: readonly Step[];
  readonly illegal: Step;
  /** What the API server says to it. */
  readonly says: RegExp;
  readonly legal: Step;
}

export function refusesEach(table: readonly IllegalStep[]): void {
  let api: ApiServer;
  let namespace: string;
  let count = 0;
  beforeAll(async () => {
    api = connectAsAdmin();
    namespace = await freshNamespace('rules');
  });
  afterAll(() => api.close());

  test.each(table)('$rule', async ({ given = [], illegal, says, legal }) => {
    const transaction = await storeTransaction(api, namespace, `t${++count}`);
    for (const step of given) expect(await transaction.take(step)).toMatchObject({ kind: 'accepted' });

    expect(await transaction.take(illegal)).toMatchObject({ kind: 'refused', message: expect.stringMatching(says) });
    expect(await transaction.take(legal)).toMatchObject({ kind: 'accepted' });
  });
}
