/**
 * What an image has of its base is enough for Node: it runs from that folder alone, with its libraries and no others.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SCRIPT = join(import.meta.dirname, '../../scripts/images/node-alone.sh');
const folder = mkdtempSync(join(tmpdir(), 'node-alone-'));

beforeAll(() => promisify(execFile)('sh', [SCRIPT, realpathSync(process.execPath), folder]), 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const find = (pattern: string): readonly string[] => globSync(pattern, { cwd: folder }).toSorted();

test('it runs, looks up a host and knows whose process it is', async () => {
  const [loader = ''] = find('{lib*,usr/lib*}/**/ld-linux*');
  const [library = ''] = find('**/libc.so*');
  const script = `
    import { lookup } from 'node:dns/promises';
    import { readFileSync } from 'node:fs';
    const { address } = await lookup('localhost');
    // The kernel's own are mapped into every process.
    const libraries = [...readFileSync('/proc/self/maps', 'utf8').matchAll(/ (\\/\\S+\\.so[.\\d]*)$/gm)].map(([, path]) => path);
    console.log(JSON.stringify({ address, version: process.version, libraries: [...new Set(libraries)] }));`;
  const { stdout } = await promisify(execFile)(join(folder, loader), [
    ...['--library-path', join(folder, library, '..'), join(folder, 'usr/local/bin/node')],
    ...['--input-type=module', '--eval', script],
  ]);
  const { address, version, libraries } = JSON.parse(stdout) as {
    readonly address: string;
    readonly version: string;
    readonly libraries: readonly string[];
  };
  expect(['127.0.0.1', '::1']).toContain(address);
  expect(version).toBe(process.version);
  expect(libraries.length).toBeGreaterThan(2);
  expect(libraries.filter((path) => !path.startsWith(folder))).toEqual([]);
});

test('there is nothing else to be run', () => {
  expect(find('{bin,sbin,usr/bin,usr/sbin,usr/local/sbin,usr/local/bin}/*')).toEqual(['usr/local/bin/node']);
});

test('names of users and packages are there, for the kubelet and for tools that look for flaws', () => {
  expect(readFileSync(join(folder, 'etc/passwd'), 'utf8')).toContain('root:');
  for (const path of find('var/lib/dpkg/status.d/*'))
    expect(readFileSync(join(folder, path), 'utf8')).toMatch(/^Package: \S+$/m);
});

test('whose packages these are is said in both files by which tools know it', () => {
  for (const file of ['etc/os-release', 'etc/debian_version'].filter((path) => existsSync(join('/', path))))
    expect(readFileSync(join(folder, file), 'utf8')).toBe(readFileSync(join('/', file), 'utf8'));
});
