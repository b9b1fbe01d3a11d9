/**
 * Calls of one branch at the same time, and calls that are cut off: every test really overlaps, nothing is simulated.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  barrier,
  openSeatService,
  PAYLOAD,
  SEATS_AT_START,
  untilSomeoneWaits,
  type SeatService,
} from '../../testing/seat-service.ts';

let seatService: SeatService;
beforeAll(async () => {
  seatService = await openSeatService();
}, 30_000);
afterAll(async () => {
  await seatService.close();
});
beforeEach(async () => {
  await seatService.pool.query('truncate ordertx_fence, reservations, told');
  await seatService.pool.query('update shows set free = $1', [SEATS_AT_START]);
});

const HELD = SEATS_AT_START - PAYLOAD.seats;

describe('try and cancel at the same time', () => {
  test('the try is first: the cancel waits for it and then undoes it', async () => {
    const hold = barrier();
    seatService.interruptAt('try', hold.stop);
    const trying = seatService.call('try');
    await hold.reached;
    const cancelling = seatService.call('cancel');
    await untilSomeoneWaits(seatService.pool);
    hold.release();
    expect(await trying).toMatchObject({ status: 200, state: 'Tried' });
    expect(await cancelling).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
    expect((await seatService.told()).at(-1)).toMatchObject({ operation: 'cancel', tried: true });
  });

  test('the cancel is first: the try waits for it and then reserves nothing', async () => {
    const hold = barrier();
    seatService.interruptAt('cancel', hold.stop);
    const cancelling = seatService.call('cancel');
    await hold.reached;
    const trying = seatService.call('try');
    await untilSomeoneWaits(seatService.pool);
    hold.release();
    expect(await cancelling).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await trying).toMatchObject({ status: 409, state: 'Cancelled', code: 'cancelled' });
    expect(await seatService.freeSeats()).toBe(SEATS_AT_START);
    expect(await seatService.reservation()).toBeUndefined();
  });

  test('the try is first but comes to nothing: the waiting cancel finds a branch that was never tried', async () => {
    const hold = barrier();
    seatService.interruptAt('try', async (client) => {
      await hold.stop(client);
      throw new Error('the seatService burns');
    });
    const trying = seatService.call('try');
    await hold.reached;
    const cancelling = seatService.call('cancel');
    await untilSomeoneWaits(seatService.pool);
    hold.release();
    expect(await trying).toMatchObject({ status: 500, state: null });
    expect(await cancelling).toMatchObject({ status: 200, state: 'Cancelled' });
    expect(await seatService.told()).toMatchObject([{ operation: 'cancel', tried: false }]);
  });
});

describe('the same operation twice at the same time', () => {
  test('two tries reserve once and hear the same answer', async () => {
    const hold = barrier();
    seatService.interruptAt('try', hold.stop);
    const first = seatService.call('try');
    await hold.reached;
    const second = seatService.call('try');
    await untilSomeoneWaits(seatService.pool);
    hold.release();
    expect(await first).toMatchObject({ status: 200, state: 'Tried', body: { held: 2 } });
    expect(await second).toMatchObject({ status: 200, state: 'Tried', body: { held: 2 } });
    expect(await seatService.freeSeats()).toBe(HELD);
  });

  test('two confirms sell once', async () => {
    await seatService.call('try');
    const hold = barrier();
    seatService.interruptAt('confirm', hold.stop);
    const first = seatService.call('confirm');
    await hold.reached;
    const second = seatService.call('confirm');
    await untilSomeoneWaits(seatService.pool);
    hold.release();
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    expect((await seatService.told()).map(({ operation }) => operation)).toEqual(['try', 'confirm']);
  });

  test('many calls of every kind end in one state that agrees with the seats', async () => {
    const operations = ['try', 'cancel', 'try', 'cancel', 'try', 'confirm'] as const;
    const answers = await Promise.all(operations.map((operation) => seatService.call(operation)));
    for (const { status } of answers) expect([200, 409]).toContain(status);
    const state = await seatService.storedState();
    expect(await seatService.freeSeats()).toBe(state === 'Cancelled' ? SEATS_AT_START : HELD);
    expect(['Cancelled', 'Confirmed']).toContain(state);
  });
});

describe('a call that is cut off leaves nothing', () => {
  test.each(['try', 'confirm', 'cancel'] as const)(
    'the connection is killed inside %s: 503, nothing stored, the next call works',
    async (operation) => {
      if (operation !== 'try') await seatService.call('try');
      const before = {
        state: await seatService.storedState(),
        free: await seatService.freeSeats(),
        told: (await seatService.told()).length,
      };
      seatService.interruptAt(operation, async (client) => {
        const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
        await seatService.pool.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid]);
      });
      expect(await seatService.call(operation)).toMatchObject({ status: 503, state: null });
      expect({
        state: await seatService.storedState(),
        free: await seatService.freeSeats(),
        told: (await seatService.told()).length,
      }).toEqual(before);
      expect((await seatService.call(operation)).status).toBe(200);
    },
  );

  test('a bug in the service is 500 and leaves nothing', async () => {
    seatService.interruptAt('try', async () => {
      throw new Error('division by cucumber');
    });
    const answer = await seatService.call('try');
    expect(answer).toMatchObject({ status: 500, state: null });
    expect(JSON.stringify(answer.body)).not.toContain('cucumber');
    expect(await seatService.storedState()).toBeUndefined();
  });

  test('a statement that failed and was swallowed by the service is no success', async () => {
    seatService.interruptAt('confirm', async (client) => {
      await client.query('select 1/0').catch(() => undefined);
    });
    await seatService.call('try');
    expect((await seatService.call('confirm')).status).toBe(500);
    expect(await seatService.storedState()).toBe('Tried');
    expect(await seatService.reservation()).toBe('held');
  });
});

describe('what is not known is never answered as a no', () => {
  const others: SeatService[] = [];
  afterEach(async () => {
    for (const other of others.splice(0)) await other.close();
  });

  test('a lock that is not given in time is 503 with Retry-After, and the call it waited for still ends well', async () => {
    const hasty = await openSeatService({ lockTimeoutMs: 50 });
    others.push(hasty);
    const hold = barrier();
    hasty.interruptAt('try', hold.stop);
    const trying = hasty.call('try');
    await hold.reached;
    const answer = await hasty.call('cancel');
    expect(answer).toMatchObject({ status: 503, state: null });
    expect(answer.headers.get('retry-after')).toBe('1');
    hold.release();
    expect(await trying).toMatchObject({ status: 200, state: 'Tried' });
  });

  test('a deadlock is 503 for one of the two, and nothing of it is stored', async () => {
    await seatService.pool.query(`insert into shows values ('macbeth', 10) on conflict do nothing`);
    const [one, two] = [barrier(), barrier()];
    const lockOther =
      (mine: string, other: string, hold: ReturnType<typeof barrier>) =>
      async (client: Parameters<typeof one.stop>[0]) => {
        await client.query('select 1 from shows where show = $1 for update', [mine]);
        await hold.stop(client);
        await client.query('select 1 from shows where show = $1 for update', [other]);
        return undefined;
      };
    seatService.interruptAt('try', lockOther('hamlet', 'macbeth', one));
    const first = seatService.call('try', { transaction: 'shop/book-b1' });
    await one.reached;
    seatService.interruptAt('try', lockOther('macbeth', 'hamlet', two));
    const second = seatService.call('try', { transaction: 'shop/book-b2' });
    await two.reached;
    one.release();
    two.release();
    const statuses = [(await first).status, (await second).status].sort();
    expect(statuses).toEqual([200, 503]);
    const stored = [await seatService.storedState('shop/book-b1'), await seatService.storedState('shop/book-b2')];
    expect(stored.filter((state) => state === 'Tried')).toHaveLength(1);
  });

  test.each(['try', 'confirm', 'cancel'] as const)(
    'later on %s is 425 with the stored state and Retry-After, and undoes everything',
    async (operation) => {
      if (operation === 'confirm') await seatService.call('try');
      const state = operation === 'confirm' ? 'Tried' : 'None';
      const told = await seatService.told();
      seatService.interruptAt(operation, async () => ({
        kind: 'later',
        detail: 'another booking is at work',
        retryAfterSeconds: 1.2,
      }));
      const answer = await seatService.call(operation);
      expect(answer).toMatchObject({ status: 425, state, detail: 'another booking is at work' });
      expect(answer.headers.get('retry-after')).toBe('2');
      expect(await seatService.told()).toEqual(told);
      expect((await seatService.call(operation)).status).toBe(200);
    },
  );
});
