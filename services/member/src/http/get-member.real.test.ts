/** GET /members/:userId, on a real database. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  ask,
  documentedStatuses,
  payloadsOf,
  runConsumer,
  type RunningConsumer,
} from '../../../../tests/services/running-consumers.ts';

let member: RunningConsumer;

beforeAll(async () => {
  member = await runConsumer('member');
});
afterAll(() => member.close());

test('shows what the member was granted', async () => {
  await member.sender.send({ type: 'points.grant', data: { ...payloadsOf('o1', 'u1').paid, amountCents: 2_599 } });
  expect(await ask(`${member.url}/members/u1`)).toMatchObject({
    status: 200,
    body: { userId: 'u1', points: 25, growth: 25 },
  });
});

test('of a user who never paid shows zeros', async () => {
  expect(await ask(`${member.url}/members/never`)).toMatchObject({
    status: 200,
    body: { userId: 'never', points: 0, growth: 0 },
  });
});

test.each(['UPPER', '-', 'a%2Fb', 'a%00', 'u'.repeat(64)])(
  'of the user id %s is 400 and names the field',
  async (userId) => {
    expect(await ask(`${member.url}/members/${userId}`)).toMatchObject({
      status: 400,
      type: 'application/problem+json',
      body: { detail: expect.stringMatching(/^userId: /) },
    });
  },
);

test('documents every status it answers', async () => {
  const documented = await documentedStatuses(member.url, 'get', '/members/{userId}');
  expect(documented).toEqual(['200', '400', '503', 'default']);
});
