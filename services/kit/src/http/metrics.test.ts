/**
 * Figures that are read from a store at each scrape, as long as it answers and when it does not.
 */
import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { memoryLog } from '../../testing/memory-log.ts';
import { databaseGauges } from './metrics.ts';

interface Shelf {
  readonly parcels: number;
}

function openShelf(read: () => Promise<Shelf>) {
  const registry = new Registry();
  const { log, lines } = memoryLog();
  const gauges = [
    { name: 'parcels', help: 'Parcels.', set: (gauge, { parcels }) => gauge.set(parcels) },
    {
      ...{ name: 'parcels_by_size', help: 'Parcels.', labelNames: ['size'] },
      set: (gauge, { parcels }) => gauge.set({ size: 'small' }, parcels),
    },
  ] satisfies Parameters<typeof databaseGauges<Shelf>>[3];
  databaseGauges(registry, log, read, gauges, 50);
  const samples = async (): Promise<readonly string[]> =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('parcels'));
  return { samples, lines };
}

test('they are read once for all of them', async () => {
  let reads = 0;
  const { samples } = openShelf(async () => ({ parcels: (reads += 1) }));
  expect(await samples()).toEqual(['parcels 1', 'parcels_by_size{size="small"} 1']);
  expect(await samples()).toEqual(['parcels 2', 'parcels_by_size{size="small"} 2']);
});

test('what cannot be read is a gap, with or without labels, and no 0 that would be taken for all is well', async () => {
  let isAway = false;
  const { samples, lines } = openShelf(async () => {
    if (isAway) throw new Error('the database is away');
    return { parcels: 7 };
  });
  expect(await samples()).toHaveLength(2);
  isAway = true;
  expect(await samples()).toEqual([]);
  expect(lines.map(({ msg }) => msg)).toContain('a metric could not be read');
  isAway = false;
  expect(await samples()).toEqual(['parcels 7', 'parcels_by_size{size="small"} 7']);
});

test('a store that hangs keeps nothing else from being served', async () => {
  const { samples, lines } = openShelf(() => new Promise(() => undefined));
  expect(await samples()).toEqual([]);
  expect(lines[0]?.err).toMatchObject({ message: 'there was no answer within 50 ms' });
});
