/**
 * Each request of a happy and of a refused transaction arrives, and its answer is lost: the status writes and the
 * creation too. Asked again, nothing happens twice.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeRequest, live, openTappedShop, type TappedShop } from './every-request.ts';

const STORIES_MS = 300_000;

let tapped: TappedShop;

beforeAll(async () => {
  tapped = await openTappedShop('answers');
  await tapped.startController();
}, 120_000);

afterAll(() => tapped.close(), 60_000);

test.each(['happy', 'refused'] as const)(
  'each answer of a %s transaction lost once, it converges with effects once',
  async (story) => {
    const { requests } = await live(tapped, story, {});
    const cases: string[] = [];
    const failures: string[] = [];
    for (const { number } of requests) {
      let lost: string | undefined;
      const { wrong } = await live(tapped, story, {
        after: (request, status) => {
          if (request.number !== number || lost !== undefined) return 'pass';
          lost = `${describeRequest(request)} (answered ${status})`;
          return 'drop';
        },
      });
      cases.push(`${story}: answer lost of ${lost ?? 'nothing'}: ${wrong.join('; ') || 'converged'}`);
      if (wrong.length > 0 || lost === undefined) failures.push(cases.at(-1) as string);
    }
    process.stdout.write(`${cases.join('\n')}\n`);
    expect(cases.filter((each) => each.includes(' api ')).length).toBeGreaterThanOrEqual(3);
    expect(failures).toEqual([]);
  },
  STORIES_MS,
);
