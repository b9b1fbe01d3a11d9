/** The cache holds complete folders only, whoever fills it and however that ends. */
import { beforeEach, afterEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cached } from './cache.ts';

let root: string;
let folder: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'cache-test-'));
  folder = join(root, 'thing', '1.0-linux');
});
afterEach(() => rm(root, { recursive: true }));

const ignore = () => undefined;
const fillWith = (text: string) => (into: string) => writeFile(join(into, 'program'), text);

describe('a folder of the cache', () => {
  test('is filled once and then found', async () => {
    await cached(folder, fillWith('first'), ignore);
    await cached(folder, fillWith('second'), ignore);
    expect(await readFile(join(folder, 'program'), 'utf8')).toBe('first');
    expect(await readdir(join(root, 'thing'))).toEqual(['1.0-linux']);
  });

  test('is filled once by two who come at the same time', async () => {
    let fills = 0;
    const fill = async (into: string) => {
      fills += 1;
      await fillWith(`fill ${fills}`)(into);
    };
    await Promise.all([cached(folder, fill, ignore), cached(folder, fill, ignore)]);
    expect(fills).toBe(1);
  });

  test('does not appear when filling it fails, and can be filled afterwards', async () => {
    const fail = async (into: string) => {
      await fillWith('half')(into);
      throw new Error('the network is gone');
    };
    await expect(cached(folder, fail, ignore)).rejects.toThrow('the network is gone');
    expect(existsSync(folder)).toBe(false);
    await cached(folder, fillWith('whole'), ignore);
    expect(await readFile(join(folder, 'program'), 'utf8')).toBe('whole');
  });

  test('is filled in spite of a lock whose owner is dead', async () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    await mkdir(join(root, 'thing'));
    await writeFile(`${folder}.lock`, String(pid));
    await cached(folder, fillWith('whole'), ignore);
    expect(await readFile(join(folder, 'program'), 'utf8')).toBe('whole');
  });

  test('names what would be left over if its filler were killed', async () => {
    const told: string[] = [];
    let into = '';
    const fill = async (staging: string) => {
      into = staging;
      await fillWith('whole')(staging);
    };
    await cached(folder, fill, (path) => told.push(path));
    expect(told).toEqual([into]);
  });
});
