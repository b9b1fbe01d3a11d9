/**
 * A Dockerfile's instructions, and what its .dockerignore lets into the build.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Instruction {
  /** In capitals. */
  readonly word: string;
  /** On one line. */
  readonly rest: string;
}

export function instructionsOf(dockerfile: string): readonly Instruction[] {
  return dockerfile
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, word = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line.trim()) ?? [];
      return { word: word.toUpperCase(), rest };
    });
}

/**
 * Files below `root` that a build gets, by paths from there. The last rule that a file, or a folder above it, fits decides, as docker
 * documents it.
 */
export function contextOf(root: string, dockerignore: string, neverThere: readonly string[]): readonly string[] {
  const rules = dockerignore
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => ({ lets: line.startsWith('!'), pattern: patternOf(line.replace(/^!/, '')) }));
  return filesBelow(root, neverThere)
    .filter((path) => rules.findLast(({ pattern }) => pattern.test(path))?.lets !== false)
    .toSorted();
}

/** By their paths from `folder`; what is called as one of `neverThere` is left out, with all that is in it. */
export function filesBelow(folder: string, neverThere: readonly string[] = []): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !neverThere.includes(name))
    .flatMap((entry) =>
      entry.isDirectory()
        ? filesBelow(join(folder, entry.name), neverThere).map((path) => `${entry.name}/${path}`)
        : [entry.name],
    )
    .toSorted();
}

/** Of docker's patterns those that are used here: whole names, `*` within one, and `**` for any folders before. */
function patternOf(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.+^$(){}|[\]\\]/g, '\\$&')
    .replaceAll(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(.*/)?'));
  return new RegExp(`^${source}(/|$)`);
}
