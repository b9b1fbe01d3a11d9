/** What must not become of the rows that make a change happen once, where row and change are one statement. */
import type { Mutant } from './mutant.ts';

export const usualCases: readonly Mutant[] = [
  {
    name: 'the fence keeps a row whose business came to nothing',
    breaks: 'row and business change are kept together or not at all',
    file: 'services/kit/src/postgres/joined-statement.ts',
    find: 'case when done then true else',
    replace: 'case when done or true then true else',
    tests: ['services/kit/src/participant/usual-case.real.test.ts'],
  },
  {
    name: 'a usual confirm takes any payload for what was tried',
    breaks: 'the fence: a confirm of something else is payload-mismatch',
    file: 'services/kit/src/participant/sql/claim-usual-confirm.sql',
    find: 'and digest = $4',
    replace: 'and $4::text is not null',
    tests: ['services/kit/src/participant/usual-case.real.test.ts'],
  },
  {
    name: 'a usual confirm ends only the creations that were there when it began',
    breaks: 'T10: what has ended is not created again',
    file: 'services/order/sql/likely-confirmed.sql',
    find: 'where exists (select from creation where transaction = $2)',
    replace: 'where $2::text is not null',
    tests: ['services/order/src/branches/pay-order.real.test.ts'],
  },
  {
    name: 'who waits for an order in another process is not notified where somebody waits in this one',
    breaks: 'whoever waits for an order hears of its end at once, on whichever replica',
    file: 'services/order/src/service.ts',
    find: 'if (awaitedBy === waiting.process) return;',
    replace: 'if (awaitedBy !== null) return;',
    tests: ['services/order/src/http/place-order.real.test.ts'],
  },
];
