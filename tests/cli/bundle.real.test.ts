/** kubectl's plugin is one file that any Node can at least read. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'acorn';
import { execFile } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { buildPlugin, pluginEnvironment, type Plugin } from './plugin.ts';

const run = promisify(execFile);
const BYTES_MAX = 3_000_000;

let plugin: Plugin;
beforeAll(async () => {
  plugin = await buildPlugin('default');
}, 60_000);
afterAll(() => plugin.close());

describe('the bundled file', () => {
  test('is under 3 MB and needs no other file of its package', () => {
    expect(statSync(plugin.program).size).toBeLessThan(BYTES_MAX);
    expect(readFileSync(plugin.program, 'utf8').startsWith('#!/usr/bin/env node\n')).toBe(true);
  });

  test('is JavaScript of 2009 to whoever parses it', () => {
    const source = readFileSync(plugin.program, 'utf8');
    expect(() => parse(source, { ecmaVersion: 5, allowHashBang: true })).not.toThrow();
  });

  test('says a sentence on an old Node and runs nothing', async () => {
    const older = join(dirname(plugin.program), 'older.cjs');
    writeFileSync(older, "Object.defineProperty(process.versions, 'node', { value: '18.20.4' });\n");
    const answer = run(process.execPath, ['--require', older, plugin.program, 'version'], { env: pluginEnvironment() });
    await expect(answer).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^error: kubectl-ordertx needs Node \d+\.\d+ or newer, and this is Node 18\.20\.4/),
    });
  });

  test('is a package with both programs that kubectl looks for', () => {
    const { bin } = JSON.parse(readFileSync(join(dirname(plugin.program), 'package.json'), 'utf8')) as { bin: object };
    expect(Object.keys(bin)).toEqual(['kubectl-ordertx', 'kubectl_complete-ordertx']);
  });
});

describe('the command line', () => {
  test.each([
    [['list', '--stcuk'], "unknown option '--stcuk'", '--stuck'],
    [['incidens'], "unknown command 'incidens'", 'incidents'],
  ])('%j is refused with a suggestion and exit code 2', async (args, refusal, suggestion) => {
    const { code, out, err } = await plugin.run(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(refusal);
    expect(err).toContain(`Did you mean ${suggestion}?`);
  });

  test.each([
    [['list', '-o', 'xml'], '-o: "xml" is none of json, yaml, name, wide'],
    [['list', '--older-than', 'yesterday'], '--older-than: "yesterday" is no duration'],
    [['list', '-o', 'jsonpath={range .items[*]}{.x}'], '{range} without {end}'],
    [['list', '--as-group', 'staff'], '--as-group needs --as'],
    [['list', '--archived'], 'needs the archive: set ARCHIVE_DATABASE_URL'],
    [['describe'], "missing required argument 'name|orderId'"],
  ])('%j is refused with a sentence and exit code 2', async (args, sentence) => {
    const { code, out, err } = await plugin.run(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(sentence);
  });

  test('what is not there is named: a kubeconfig, a context', async () => {
    const lost = await plugin.run(['list', '--kubeconfig', '/nonexistent/config']);
    expect(lost).toMatchObject({ code: 1, err: 'error: the kubeconfig /nonexistent/config is not there\n' });
    const without = await plugin.run(['list', '--context', 'moon']);
    expect(without).toMatchObject({ code: 1, err: 'error: the kubeconfig has no context "moon"\n' });
  });

  test('its own version needs no cluster', async () => {
    const { code, out } = await plugin.run(['version', '--client'], { env: { KUBECONFIG: '/nonexistent' } });
    expect(code).toBe(0);
    expect(out).toMatch(/^Plugin:\s+\d+\.\d+\.\d+ \(Node /);
  });
});
