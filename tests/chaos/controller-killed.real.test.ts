/**
 * kill -9 of the controller before and after each request of a happy and of a refused transaction: the next one comes to
 * the same end, and everything happened once.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RunningController } from '../../local/controllers.ts';
import { describeRequest, live, openTappedShop, type Story, type TappedShop } from './every-request.ts';

const STORIES_MS = 600_000;

let tapped: TappedShop;
let controller: RunningController;

beforeAll(async () => {
  tapped = await openTappedShop('killed');
  controller = await tapped.startController();
}, 120_000);

afterAll(() => tapped.close(), 60_000);

async function killAround(number: number, when: 'before' | 'after', story: Story): Promise<readonly string[]> {
  let successor: Promise<RunningController> | undefined;
  const kill = async (request: { number: number }) => {
    if (request.number !== number || successor) return 'pass' as const;
    const victim = controller.part.process;
    victim.kill('SIGKILL');
    successor = victim.exited.then(() => tapped.startController());
    await victim.exited;
    return 'drop' as const;
  };
  const { wrong } = await live(tapped, story, { [when]: kill });
  if (!successor) return [...wrong, 'nothing was killed'];
  controller = await successor;
  return wrong;
}

test.each(['happy', 'refused'] as const)(
  'killed before and after each request of a %s transaction, it converges with effects once',
  async (story) => {
    const { requests, wrong } = await live(tapped, story, {});
    expect(wrong).toEqual([]);
    expect(requests.length).toBeGreaterThanOrEqual(7);
    const cases: string[] = [];
    const failures: string[] = [];
    for (const request of requests) {
      for (const when of ['before', 'after'] as const) {
        const trouble = await killAround(request.number, when, story);
        cases.push(
          `${story}: killed ${when.padEnd(6)} ${describeRequest(request)}: ${trouble.join('; ') || 'converged'}`,
        );
        if (trouble.length > 0) failures.push(cases.at(-1) as string);
      }
    }
    process.stdout.write(`${cases.join('\n')}\n`);
    expect(cases).toHaveLength(2 * requests.length);
    expect(failures).toEqual([]);
  },
  STORIES_MS,
);
