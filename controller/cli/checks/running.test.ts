/** `check` of what runs: what a controller does not have is not said to be well. */
import { expect, test } from '@jest/globals';
import { ControllerMetrics } from '../../src/telemetry/metrics.ts';
import type { ApiAnswer, ApiRequest, Transport } from '../../src/kubernetes/transport.ts';
import { ControllerPorts } from '../controller-ports.ts';
import { sessionOn } from '../testing/session.ts';
import type { Finding } from './finding.ts';
import { checkControllers } from './running.ts';

const WHERE = 'shop/controller:8080';

/** What is said of the archive of a controller with these metrics. */
async function archiveBy(metrics: string): Promise<Finding | undefined> {
  const request = <T>({ path }: ApiRequest): Promise<ApiAnswer<T>> => {
    const body: unknown = path.endsWith('/metrics') ? metrics : path.endsWith('/readyz') ? 'ok' : { versions: [] };
    return Promise.resolve({ kind: 'ok', body: body as T });
  };
  const { session } = sessionOn({ host: 'few.example', request } as unknown as Transport);
  const found = await checkControllers({ ...session, controllers: new ControllerPorts(WHERE, session.api) });
  return found.find(({ what }) => what === `archive from ${WHERE}`);
}

test('a controller without an archive is said to keep nothing of what has ended', async () => {
  const metrics = new ControllerMetrics({ hasArchive: false });
  expect(await archiveBy(await metrics.registry.metrics())).toMatchObject({
    ...{ state: 'ok', sentence: 'that controller has none: what has ended and is removed is kept nowhere' },
  });
});

test.each([
  [0, { state: 'ok', sentence: '' }],
  [1, { state: 'wrong', sentence: 'it does not take what is to be removed' }],
])('of one whose archive fails by %i: that', async (failing, expected) => {
  const metrics = new ControllerMetrics({ hasArchive: true });
  metrics.archiveFailing.set(failing);
  expect(await archiveBy(await metrics.registry.metrics())).toMatchObject(expected);
});

test('what has no such metrics at all is not said to be well', async () => {
  expect(await archiveBy('something_else 1\n')).toMatchObject({ state: 'unknown' });
});
