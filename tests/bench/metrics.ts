/**
 * What does measuring cost the controller, and a scrape? `npm run bench:metrics [-- --transactions 100000 --unfinished 10000 --scrapes 20]`
 *
 * The controller's real instrumentation is fed with so many transactions over 10 flows and 10 targets, and scraped over HTTP while so many
 * others are unfinished, one in ten of them stuck. Fails where a scrape takes 200 ms, its text has 1 MB, or its series grow in the second
 * half.
 */
import express from 'express';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { FedMetrics, seriesIn, stuckAt, transactionOf } from '../../controller/src/telemetry/testing/fed-metrics.ts';
import { say } from '../../local/progress.ts';
import { serveMetrics } from '../../services/metrics/src/exposition.ts';
import { percentile } from './closed-loop.ts';
import { describeMachine } from './machine.ts';
import { readNumbers } from './number-options.ts';

const SCRAPE_MS_MAX = 200;
const BYTES_MAX = 1_000_000;
const NAMES = 10;
/** Figures count for a second: each scrape here is to walk anew. */
const BETWEEN_SCRAPES_MS = 10_000;

const machine = await describeMachine();
const { transactions, unfinished, scrapes } = readNumbers({ transactions: 100_000, unfinished: 10_000, scrapes: 20 });
const flowOf = (number: number): string => `flow-${number % NAMES}`;
const targetOf = (number: number): string => `target-${Math.floor(number / NAMES) % NAMES}`;

const fed = new FedMetrics({
  transactions: Array.from({ length: unfinished }, (_, number) =>
    transactionOf(number, flowOf(number), number % NAMES === 0 ? stuckAt(targetOf(number)) : undefined),
  ),
});
let livedMs = 0;
const live = (from: number, to: number): void => {
  const startedMs = performance.now();
  for (let number = from; number < to; number += 1) fed.live(number, flowOf(number), [targetOf(number)]);
  livedMs += performance.now() - startedMs;
};

const server = express().get('/metrics', serveMetrics(fed.metrics.registry)).listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
const FORMATS = { text: 'text/plain', OpenMetrics: 'application/openmetrics-text;version=1.0.0' };

const half = Math.floor(transactions / 2);
live(0, half);
const seriesAtHalf = seriesIn(await fed.text());
live(half, transactions);
const series = seriesIn(await fed.text());

const { cores, loadAverage } = machine;
say(`${cores} cores, load before ${loadAverage.toFixed(1)}`);
const perTransactionUs = (1_000 * livedMs) / transactions;
say(
  `${transactions} transactions fed: ${perTransactionUs.toFixed(1)} µs each; ${series} series, ${seriesAtHalf} at half`,
);
const wrong = series === seriesAtHalf ? [] : ['the series grew in the second half'];
for (const [format, accept] of Object.entries(FORMATS)) {
  const took: number[] = [];
  let bytes = 0;
  for (let scrape = 0; scrape < scrapes; scrape += 1) {
    fed.ms += BETWEEN_SCRAPES_MS;
    const startedMs = performance.now();
    bytes = (await (await fetch(url, { headers: { accept } })).arrayBuffer()).byteLength;
    took.push(performance.now() - startedMs);
  }
  const [p50, slowest] = [percentile(took, 0.5), Math.max(...took)];
  say(
    `${format}: ${bytes} bytes; a scrape with ${unfinished} unfinished takes ${p50.toFixed(1)} ms, the slowest ${slowest.toFixed(1)}`,
  );
  if (slowest >= SCRAPE_MS_MAX) wrong.push(`a scrape as ${format} took ${SCRAPE_MS_MAX} ms and more`);
  if (bytes >= BYTES_MAX) wrong.push(`${format} has ${BYTES_MAX} bytes and more`);
}
server.close();
for (const each of wrong) say(`FAILED: ${each}`);
process.exitCode = wrong.length === 0 ? 0 : 1;
