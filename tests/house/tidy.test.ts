/**
 * The tree is tidy.
 *
 * What no linter sees: how files open and how long they are, what is never checked in, and that documents, scripts and
 * the tree agree. Every check lists the offenders, so that a failure reads as what to do.
 */
import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const FILE_LINES_MAX = 450;

/** Holds the very patterns it looks for. */
const SELF = 'tests/house/tidy.test.ts';

/** Everything that is checked in, or would be with the next commit. */
const paths = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)));

const text = new Map(
  paths
    .filter((path) => !/[.](png|ico|gz|svg)$/.test(path))
    .map((path) => [path, readFileSync(join(root, path), 'utf8')]),
);

const isSource = (path: string) => /[.]([cm]?[jt]s|sql|sh)$/.test(path) || path === '.ci/run';
const isDerived = (path: string) => path.includes('/generated/');
const isTestCode = (path: string) => /^tests\/|\/testing\/|[.]test[.]ts$/.test(path);

function matches(which: (path: string) => boolean, pattern: RegExp): readonly string[] {
  return [...text]
    .filter(([path]) => path !== SELF && which(path))
    .flatMap(([path, content]) =>
      content
        .split('\n')
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [])),
    );
}

describe('every source file', () => {
  const sources = [...text].filter(([path]) => isSource(path));

  test('opens with a comment that says what it is', () => {
    const opening = /^(#!.*\n)?(\/\*\*?(\n \*)? \S|\/\/ \S|# \S|-- \S)/;
    expect(sources.filter(([, content]) => !opening.test(content)).map(([path]) => path)).toEqual([]);
  });

  test(`has at most ${FILE_LINES_MAX} lines`, () => {
    const long = sources.filter(
      ([path, content]) => !isDerived(path) && content.split('\n').length > FILE_LINES_MAX + 1,
    );
    expect(long.map(([path]) => path)).toEqual([]);
  });

  test('is named after what is in it', () => {
    const catchAll = /(^|\/)(utils?|helpers?|types?|common|misc)(\/|[.][^/]*$)/;
    expect(paths.filter((path) => catchAll.test(path))).toEqual([]);
  });

  test('is finished: what is left to do is not left in a comment', () => {
    expect(matches((path) => isSource(path) || path.endsWith('.yaml'), /\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  test('leaves lint and types switched on', () => {
    expect(matches(isSource, /@ts-(ignore|nocheck|expect-error)|eslint-disable(?!-next-line [\w@/-]+ -- \S)/)).toEqual(
      [],
    );
  });
});

describe('every text', () => {
  test('speaks in the field’s words: no newcomer has to learn that a port is a door or the core a study', () => {
    const metaphor =
      /\b(halls?|study|workshop|letter-?box|the ledger|keeper|household|doors?|theatres?|desks?|scenes?|clerks?)\b|post-?office|waiting[- ]?room|(?<![/\w])house(?![/\w])/i;
    expect(matches((path) => path !== 'package-lock.json', metaphor)).toEqual([]);
    expect(
      paths.filter((path) =>
        /door|keeper|household|letterbox|workshop|theatre|desk|scene|post-office|waiting-room/i.test(path),
      ),
    ).toEqual([]);
  });
});

describe('every test', () => {
  test('runs: none is singled out, skipped or left for later', () => {
    expect(matches(isTestCode, /\b(test|it|describe)[.](only|skip|todo|failing)\b|\b[fx](it|test|describe)\(/)).toEqual(
      [],
    );
  });

  test('waits for a condition and never sleeps', () => {
    const sleep = /timers\/promises|setTimeout\(\s*(resolve|done|r|res)\s*,|\bsleep [\d$]|\bsleep\(/;
    // One pauses between two looks, behind a condition and a deadline; the other holds snippets that lint refuses.
    const exempt = ['services/kit/testing/until.ts', 'tests/house/lint-rules.real.test.ts'];
    expect(matches((path) => isTestCode(path) && !exempt.includes(path), sleep)).toEqual([]);
  });
});

describe('what is checked in', () => {
  test('names no package registry and no credentials for one', () => {
    const registry =
      /registry\s*=\s*https?:|registry[.](npmjs|yarnpkg)[.]|"resolved": "http|proxy[.]golang[.]org|_auth(Token)?\s*=/;
    expect(matches(() => true, registry)).toEqual([]);
  });

  test('names no place on the machine it was written on', () => {
    const place = /(?<![\w.$}{>-])\/(home|Users|root|work|mnt|Volumes)\/[\w.]|[A-Z]:\\\\?Users\b/;
    expect(matches(() => true, place)).toEqual([]);
  });

  test('pins every package to one exact version', () => {
    const { dependencies, devDependencies } = JSON.parse(text.get('package.json') ?? '') as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+[.]\d+[.]\d+(-[\w.]+)?$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  test('locks every package for every platform, so that `npm ci` takes the lock anywhere', () => {
    const { packages } = JSON.parse(text.get('package-lock.json') ?? '') as {
      readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>;
    };
    // A package is looked for in its dependant's own node_modules and in every one around it.
    const isLocked = (dependant: string, name: string): boolean => {
      if (`${dependant === '' ? '' : `${dependant}/`}node_modules/${name}` in packages) return true;
      if (dependant === '') return false;
      return isLocked(dependant.slice(0, Math.max(0, dependant.lastIndexOf('/node_modules/'))), name);
    };
    const missing = Object.entries(packages).flatMap(([dependant, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter((name) => !isLocked(dependant, name)),
    );
    expect(missing).toEqual([]);
  });

  test('locks every package to the content of its archive, so that `npm ci` refuses another one', () => {
    const { packages } = JSON.parse(text.get('package-lock.json') ?? '') as {
      readonly packages: Readonly<Record<string, { readonly integrity?: string; readonly link?: boolean }>>;
    };
    const open = Object.entries(packages).filter(
      ([path, { integrity = '', link }]) =>
        path !== '' && link !== true && !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity),
    );
    expect(open.map(([path]) => path)).toEqual([]);
  });

  test('leaves no litter: another tool’s lock, secrets, logs, backups', () => {
    expect(
      paths.filter((path) => /(^|\/)(yarn[.]lock|pnpm-lock[.]yaml|[.]env|.*[.]log|.*~|.*[.]orig)$/.test(path)),
    ).toEqual([]);
  });
});

describe('the documents', () => {
  const documents = [...text].filter(([path]) => path.endsWith('.md'));

  test('link only to what is there', () => {
    const broken = documents.flatMap(([path, content]) =>
      [...content.matchAll(/\]\(([^)\s#]+)(#[^)\s]*)?\)/g)]
        .map(([, target]) => target ?? '')
        .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
        .map((target) => `${path}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('name every npm script, and only npm scripts that exist', () => {
    const { scripts } = JSON.parse(text.get('package.json') ?? '') as { readonly scripts: Record<string, string> };
    const named = new Set(
      documents.flatMap(([, content]) =>
        [...content.matchAll(/\bnpm (?:run (?:--silent )?([a-z][\w:-]*)|(test))/g)].map(
          ([, run, test]) => run ?? test ?? '',
        ),
      ),
    );
    expect({
      unnamed: Object.keys(scripts).filter((name) => !named.has(name)),
      missing: [...named].filter((name) => !(name in scripts)),
    }).toEqual({ unnamed: [], missing: [] });
  });

  test('are in a folder of docs/ or are one of the few at the root', () => {
    const atTheRoot = /^[A-Z]+[.]md$/;
    const elsewhere = documents
      .map(([path]) => path)
      .filter((path) => !path.startsWith('docs/') && !atTheRoot.test(path));
    // Whoever upgrades a chart looks beside it.
    const beside = (path: string) => basename(path) === 'README.md' || path === 'helm/ordertx/UPGRADING.md';
    expect(elsewhere.filter((path) => !beside(path))).toEqual([]);
  });
});
