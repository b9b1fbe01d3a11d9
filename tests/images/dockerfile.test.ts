/**
 * What the Dockerfile promises without a docker to build it: who runs, what is started, and that any builder can read it.
 */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { controllerProcess } from '../../local/controllers.ts';
import { PROCESSES } from '../../scripts/images/processes.ts';
import { SERVICES } from '../../local/services.ts';
import { instructionsOf, type Instruction } from './instructions.ts';

const text = readFileSync(join(import.meta.dirname, '../../Dockerfile'), 'utf8');
const instructions = instructionsOf(text);

/** From each FROM to the next, by the stage's name. */
const stages = new Map<string, Instruction[]>();
for (const each of instructions) {
  const [, name] = each.word === 'FROM' ? (/ AS (\S+)$/.exec(each.rest) ?? []) : [];
  if (name !== undefined) stages.set(name, []);
  [...stages.values()].at(-1)?.push(each);
}
const stage = (name: string): readonly Instruction[] => stages.get(name) ?? [];
const words = (name: string): readonly string[] => stage(name).map(({ word }) => word);
const rests = (name: string, word: string): readonly string[] =>
  stage(name)
    .filter((each) => each.word === word)
    .map(({ rest }) => rest);

test('there is a target for the controller and each service, with a title of its own', () => {
  expect(PROCESSES.map(({ name }) => name)).toEqual(['controller', ...SERVICES.map(({ name }) => name)]);
  for (const { name, title } of PROCESSES) {
    expect(rests(name, 'FROM')).toEqual([`production AS ${name}`]);
    expect(rests(name, 'LABEL')).toEqual([`org.opencontainers.image.title="${title}"`]);
    expect(rests(name, 'COPY')).toEqual([`--from=bundle /src/dist/images/${name}/ ./`]);
  }
});

describe('an image', () => {
  test('runs as nobody in particular, by number, so that a pod that must not run as root takes it', () => {
    expect(rests('production', 'USER')).toEqual(['1000:1000']);
    for (const { name } of PROCESSES) expect(words(name)).not.toContain('USER');
  });

  test('starts Node itself, which gets the signals, and no shell', () => {
    expect(rests('production', 'ENTRYPOINT').map((each) => JSON.parse(each) as unknown)).toEqual([
      ['node', '/app/main.mjs'],
    ]);
    for (const { name } of PROCESSES) {
      expect(words(name)).not.toContain('ENTRYPOINT');
      expect(words(name)).not.toContain('CMD');
    }
  });

  test('is made of copies alone: Node, its libraries and the bundle, and no shell', () => {
    expect(rests('production', 'FROM')).toEqual(['scratch AS production']);
    expect(rests('production', 'COPY')).toEqual(['--from=node-alone /alone/ /']);
    for (const name of ['production', ...PROCESSES.map((process) => process.name)])
      expect(words(name)).not.toContain('RUN');
  });

  test('stands on the pinned Node, by digest', () => {
    const [base] = instructions.filter(({ word, rest }) => word === 'ARG' && rest.startsWith('NODE_IMAGE='));
    const pinned = `NODE_IMAGE=node:${manifest.devDependencies.node}-bookworm-slim@sha256:`;
    expect(base?.rest.slice(0, pinned.length)).toBe(pinned);
    expect(base?.rest.slice(pinned.length)).toMatch(/^[0-9a-f]{64}$/);
    for (const name of ['packages', 'node-alone']) expect(rests(name, 'FROM')).toEqual([`\${NODE_IMAGE} AS ${name}`]);
  });
});

test('the controller has against garbage and arenas what `up` starts it with', () => {
  const env = Object.fromEntries(
    rests('controller', 'ENV').flatMap((rest) => rest.split(' ').map((each) => each.split(/=(.*)/).slice(0, 2))),
  ) as Record<string, string>;
  const options = { name: 'c', port: 1, kubeconfig: '', redisUrl: '', namespaces: [], allowEndpoints: [] };
  const { spec } = controllerProcess(options);
  expect(spec.args).toContain(env.NODE_OPTIONS);
  expect(env.MALLOC_ARENA_MAX).toBe(spec.env?.MALLOC_ARENA_MAX);
  expect(env.MALLOC_ARENA_MAX).toBe('1');
});

test('nothing is fetched but packages, and those as package-lock.json has them', () => {
  expect(instructions.map(({ word }) => word)).not.toContain('ADD');
  const commands = instructions.filter(({ word }) => word === 'RUN').map(({ rest }) => rest);
  expect(commands).toEqual([
    expect.stringMatching(/^npm ci --ignore-scripts /),
    expect.stringMatching(/^node scripts\/images\/bundle\.ts /),
    'sh /node-alone.sh "$(command -v node)" /alone',
  ]);
});

test('builders that are old or not docker’s read it: no syntax line, no here-document, no flag of RUN', () => {
  expect(text).not.toMatch(/^#\s*syntax\s*=/im);
  for (const { word, rest } of instructions) {
    expect(rest).not.toContain('<<');
    if (word === 'RUN') expect(rest).not.toMatch(/^--/);
  }
});
