/** However many namespaces are watched, requests find a connection, and every watch has its own. */
import { afterAll, expect, test } from '@jest/globals';
import type { OrderTransaction } from '../../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import { waitFor } from '../../../local/deadline.ts';
import { adminTransport, createFlow, createTransaction } from '../../../tests/world/api-client.ts';
import { freshNamespace } from '../../../tests/world/world.ts';
import { systemClock } from '../runtime/clock.ts';
import { silentLog } from '../runtime/log.ts';
import { Informers } from './informers.ts';
import { FLOWS, pathOf, TRANSACTIONS } from './stored-object.ts';

/** Two watches each: more than requests have connections. */
const NAMESPACES = 40;
const TEST_MS = 60_000;
const REQUESTS = 200;

const transport = adminTransport();

const started: { stop(): Promise<void> }[] = [];

afterAll(async () => {
  await Promise.all(started.map((informers) => informers.stop()));
  await transport.close();
});

test(
  'with forty namespaces watched, every watch hears and requests are answered',
  async () => {
    const last = await freshNamespace('many');
    const namespaces = [...Array.from({ length: NAMESPACES - 1 }, (_, index) => `watched-${index}`), last];
    const options = { transport, clock: systemClock, log: silentLog };
    const transactions = new Informers<OrderTransaction>(TRANSACTIONS, namespaces, options);
    const flows = new Informers<TransactionFlow>(FLOWS, namespaces, options);
    started.push(transactions, flows);
    transactions.start();
    flows.start();
    await Promise.all([transactions.whenSynced(), flows.whenSynced()]);

    await createTransaction(transport, last, 'heard');
    await createFlow(transport, last, 'heard');
    const key = `${last}/heard`;
    await waitFor(async () => transactions.get(key) !== undefined && flows.get(key) !== undefined, {
      what: 'the watches of the last namespace to hear',
      deadlineMs: TEST_MS / 2,
    });
    const path = pathOf(TRANSACTIONS, last, 'heard');
    const answers = await Promise.all(
      Array.from({ length: REQUESTS }, () => transport.request({ method: 'GET', path, timeoutMs: TEST_MS / 2 })),
    );
    expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set(['ok']));
  },
  TEST_MS,
);
