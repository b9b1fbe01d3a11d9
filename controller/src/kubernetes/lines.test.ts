/** However the bytes of a stream are cut into chunks, the lines are the same. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { linesOf } from './lines.ts';

async function* chunksOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const size of sizes) {
    yield bytes.subarray(from, from + size);
    from += size;
  }
  yield bytes.subarray(from);
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(chunks)) lines.push(line);
  return lines;
}

test('lines of any characters survive any cutting', async () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat(12)), async (lines, sizes) => {
      const bytes = new TextEncoder().encode(lines.map((each) => `${each}\n`).join(''));
      expect(await collect(chunksOf(bytes, sizes))).toEqual(lines);
    }),
  );
});

test('a line without its end is not a line', async () => {
  expect(await collect(chunksOf(new TextEncoder().encode('{"a":1}\n{"b":'), [3]))).toEqual(['{"a":1}']);
});
