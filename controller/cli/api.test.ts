/** Lists of many, which the API server gives in chunks and may forget in between. */
import { expect, test } from '@jest/globals';
import { FewTransactions } from './testing/few-transactions.ts';
import { sessionOn } from './testing/session.ts';
import { countByFlow } from './verbs/flows.ts';

test('a list that took too long begins anew, and nothing of it is counted twice', async () => {
  const api = new FewTransactions();
  for (let number = 0; number < 1_200; number += 1) api.put(`create-${number}`, { waitingFor: 'inventory' });
  let chunks = 0;
  api.instead = ({ query }) => {
    chunks += 1;
    const isLate = query?.continue === '1000' && chunks < 4;
    return isLate ? { status: 410, message: 'The provided continue parameter is too old' } : undefined;
  };
  const counts = await countByFlow(sessionOn(api).session);
  expect(Object.fromEntries(counts)).toEqual({
    'shop/create-order': { unfinished: 1_200, stuck: 0, failing: 1_200, held: 0, suspended: 0 },
  });
  expect(chunks).toBe(6);
});
