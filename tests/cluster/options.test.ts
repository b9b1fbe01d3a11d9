/** What `npm run test:cluster` reads from its arguments, what it says of wrong ones, and how it counts its steps. */
import { expect, test } from '@jest/globals';
import { readOptions } from './options.ts';
import { Report } from './report.ts';

test('a cluster and a command that loads are enough; images are built by docker then, and the stores’ are pulled', () => {
  const args = ['--load', 'kind load docker-image --name mine'];
  expect(readOptions(args, { KUBECONFIG: 'k.yaml' })).toEqual({
    kubeconfig: 'k.yaml',
    load: ['kind', 'load', 'docker-image', '--name', 'mine'],
    docker: ['docker'],
    stores: undefined,
    buildArgs: [],
  });
});

test('what follows a second -- is docker build’s', () => {
  const args = [
    '--load',
    './load',
    '--kubeconfig',
    'other.yaml',
    '--docker',
    'docker -H unix:///x',
    '--stores',
    'debian',
  ];
  expect(readOptions([...args, '--', '--network=host'], { KUBECONFIG: 'k.yaml' })).toEqual({
    kubeconfig: 'other.yaml',
    load: ['./load'],
    docker: ['docker', '-H', 'unix:///x'],
    stores: 'debian',
    buildArgs: ['--network=host'],
  });
});

test.each([
  [['--load', 'x'], {}, '--kubeconfig: name the cluster'],
  [[], { KUBECONFIG: 'k' }, '--load: name the command that brings an image to the nodes'],
  [['--load', 'x', '--docker', ' '], { KUBECONFIG: 'k' }, '--docker: name the program'],
  [['--cluster', 'x'], { KUBECONFIG: 'k' }, "Unknown option '--cluster'"],
])('%j in %j is refused with a sentence', (args, env, sentence) => {
  expect(() => readOptions(args, env)).toThrow(sentence);
});

test('each step is a line with what it saw or why it failed; what was left out has failed', async () => {
  const lines: string[] = [];
  const report = new Report((line) => lines.push(line.replace(/ \[\d+ s\]$/, '')));
  expect(await report.take({ name: 'one', run: () => Promise.resolve('went well') })).toBe(true);
  expect(report.isGood).toBe(true);
  expect(await report.take({ name: 'two', run: () => Promise.reject(new Error('no pod is ready')) })).toBe(false);
  report.leaveOut([{ name: 'three', run: () => Promise.resolve('') }], 'of "two"');
  expect(lines).toEqual([
    'ok      one: went well',
    'failed  two: no pod is ready',
    'failed  three: left out, because of "two"',
  ]);
  expect(report.sum).toBe('1 passed, 2 failed');
  expect(report.isGood).toBe(false);
});
