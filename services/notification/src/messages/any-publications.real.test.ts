/**
 * However the publications of one message arrive, drawn by fast-check: again, in any order, several at the same moment, after
 * attempts that were cut off, at a provider of any mood. On a real database.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type pg from 'pg';
import { payloadsOf, received } from '../../../../tests/services/running-consumers.ts';
import { TEST_NAMESPACE } from '../../../../tests/services/running.ts';
import { createLog } from '../../../kit/src/index.ts';
import { runNotification, type RunningNotification } from '../../testing/running-notification.ts';
import type { Provider } from '../providers/provider.ts';
import { smsPaid } from './sms-paid.ts';

const RUNS = 120;
const PUBLICATIONS_MAX = 5;

let service: RunningNotification;
let runs = 0;

beforeAll(async () => {
  service = await runNotification();
});
afterAll(() => service.close());

type Mood = 'sends' | 'fails' | 'throws';
interface Call {
  readonly mood: Mood;
  /** How long the provider takes: queries to the database, in which others get on. */
  readonly slowness: number;
}

interface Course {
  /** Publications' numbers; those of one wave are handled at the same moment. */
  readonly waves: readonly (readonly number[])[];
  /** Of the provider's calls, in turn; it sends what goes beyond. */
  readonly calls: readonly Call[];
  /** Publications whose attempt was cut off before. */
  readonly cutOff: readonly number[];
}

const publication = fc.integer({ min: 1, max: PUBLICATIONS_MAX });
const course: fc.Arbitrary<Course> = fc.record({
  waves: fc.array(fc.array(publication, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 }),
  calls: fc.array(
    fc.record({ mood: fc.constantFrom<Mood>('sends', 'fails', 'throws'), slowness: fc.integer({ min: 0, max: 4 }) }),
    { maxLength: 5 },
  ),
  cutOff: fc.uniqueArray(publication, { maxLength: 2 }),
});

function moodyProvider(database: pg.Pool, calls: readonly Call[]): Provider & { readonly made: Mood[] } {
  const made: Mood[] = [];
  return {
    made,
    async send() {
      const { mood, slowness } = calls[made.length] ?? { mood: 'sends', slowness: 0 };
      made.push(mood);
      for (let query = 0; query < slowness; query++) await database.query('select 1');
      if (mood === 'throws') throw new Error('it promised not to');
      return mood === 'sends' ? { kind: 'sent' } : { kind: 'failed', reason: 'no mood' };
    },
    close: async () => undefined,
  };
}

async function cutOffBefore(id: string, orderId: string, publications: readonly number[]): Promise<void> {
  if (publications.length === 0) return;
  await service.database.query(
    `insert into notifications (id, order_id, channel, recipient, text) values ($1, $2, 'sms', 'u1', 'a text')`,
    [id, orderId],
  );
  for (const number of publications)
    await service.database.query('insert into attempts (notification_id, publication) values ($1, $2)', [
      id,
      `attempt ${String(number)}`,
    ]);
}

test('there are no more calls than publications, one of them sends at most, and what is sent is never sent again', async () => {
  await fc.assert(
    fc.asyncProperty(course, async ({ waves, calls, cutOff }) => {
      const orderId = `o${String(++runs)}`;
      const id = `shop/pay-${orderId}/payment-sms`;
      const { database } = service;
      await cutOffBefore(id, orderId, cutOff);
      const provider = moodyProvider(database, calls);
      const log = createLog({ name: 'test', level: 'silent' });
      const handler = smsPaid({ shop: TEST_NAMESPACE, pool: database, provider, log, timeoutSeconds: 5 });
      const data = payloadsOf(orderId).paid;
      const envelope = { ...received({ id, type: 'sms.paid', data }), reason: '' };
      const handle = (number: number) => handler.attempt({ ...envelope, publication: `attempt ${String(number)}` });

      for (const wave of waves) {
        const callsBefore = provider.made.length;
        const wasSent = provider.made.includes('sends');
        const outcomes = await Promise.all(wave.map(handle));
        const isSent = provider.made.includes('sends');
        for (const { kind } of outcomes) expect(['delivered', 'failed']).toContain(kind);
        if (wasSent) expect(provider.made).toHaveLength(callsBefore);
        // Whoever is told `delivered` is told the truth; and of a notification that is sent everybody is told so.
        if (wasSent || !isSent)
          expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set([wasSent ? 'delivered' : 'failed']));
        else expect(outcomes.map(({ kind }) => kind)).toContain('delivered');
      }

      const callable = new Set(waves.flat().filter((number) => !cutOff.includes(number)));
      const { made } = provider;
      expect(made.length).toBeLessThanOrEqual(callable.size);
      expect(made.length).toBeGreaterThanOrEqual(Math.min(1, callable.size));
      expect(made.filter((mood) => mood === 'sends').length).toBeLessThanOrEqual(1);
      const status = made.includes('sends') ? 'SENT' : made.length > 0 ? 'FAILED' : 'PENDING';
      expect(await service.listed(orderId)).toMatchObject([{ status, attempts: made.length + cutOff.length }]);
    }),
    { numRuns: RUNS },
  );
});
