/**
 * What is in the images: each process as one JavaScript file, with its migrations, licenses and bill of materials beside it
 * (docs/adr/0045-images-hold-one-bundled-file.md). `node scripts/images/bundle.ts [--base IMAGE]` writes dist/images/<process>/.
 *
 * 1. A process reads nothing at run time but its migrations: statements and JSON are in the file, and an `import.meta` that would look
 *    for anything else fails the build.
 * 2. It is ASCII, so that Node holds it in one byte a character.
 * 3. Nothing is minified, and the source map stands beside: with `--enable-source-maps` a stack trace names the sources.
 */
import { build, type Metafile, type Plugin } from 'esbuild';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { kubeConfigOnly, rewriteCode, ROOT, withStatements } from '../bundling.ts';
import { asciiOnly } from './ascii-only.ts';
import { readLock, spdxDocument, type LockedPackage } from './bill-of-materials.ts';
import { licensesOf } from './licenses.ts';
import { PROCESSES, type Process } from './processes.ts';

export const IMAGES_FOLDER = join(ROOT, 'dist', 'images');

const OWN_SOURCE = /\/(controller|services)\/.*\.ts$/;
const FOLDER_BESIDE = /new URL\('((?:\.\.?\/)+[^']*\/)', import\.meta\.url\)/g;

/** CommonJS packages ask for Node's modules by `require`, which a module has none of. */
const BANNER = `import { createRequire as requireOf } from 'node:module';
const require = requireOf(import.meta.url);`;

/** Statements become text, and folders are found where `copyFolders` puts them: by their path from the repository's root. */
function filesBeside(folders: Set<string>): Plugin {
  return {
    name: 'files-beside',
    setup(builder) {
      builder.onLoad({ filter: OWN_SOURCE }, ({ path }) => {
        const lost: string[] = [];
        const contents = rewriteCode(withStatements(path), (line) => {
          if (line.replaceAll(FOLDER_BESIDE, '').includes('import.meta.')) lost.push(line.trim());
          return line.replaceAll(FOLDER_BESIDE, (_, folder: string) => {
            const fromRoot = relative(ROOT, join(dirname(path), folder));
            folders.add(fromRoot);
            return `new URL('./${fromRoot}/', import.meta.url)`;
          });
        });
        if (lost.length > 0) {
          const text = `an image has no file beside this source, so it cannot be looked for: ${lost.join(' ')}`;
          return { errors: [{ text, location: { file: relative(ROOT, path) } }] };
        }
        return { loader: 'ts', contents };
      });
    },
  };
}

/** node-pg-migrate brings a compiler for migrations in TypeScript. Ours are SQL. */
const noMigrationCompiler: Plugin = {
  name: 'no-migration-compiler',
  setup(builder) {
    builder.onResolve({ filter: /^jiti$/ }, () => ({ path: 'jiti', namespace: 'left-out' }));
    builder.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({
      contents: `export const createJiti = () => ({ import: (path) => Promise.reject(new Error(path + ' is no .sql file')) });`,
    }));
  },
};

export interface BundleOptions {
  /** What Node and its libraries are taken from, for its bill of materials. */
  readonly base: string;
  /** Of the bill of materials: seconds since 1970, so that the same sources give the same image. */
  readonly sourceDateEpoch: number;
  readonly folder?: string;
}

/** @returns the folder of what goes into the process's image */
export async function bundleProcess(process: Process, options: BundleOptions): Promise<string> {
  const folder = join(options.folder ?? IMAGES_FOLDER, process.name);
  const folders = new Set<string>();
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [process.main],
    outfile: join(folder, 'main.mjs'),
    bundle: true,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    charset: 'ascii',
    legalComments: 'none',
    sourcemap: 'linked',
    sourcesContent: false,
    // Paths are as package-lock.json has them, also where node_modules is a link to another folder's.
    preserveSymlinks: true,
    logLevel: 'warning',
    // Asked for where it is installed, and it isn't.
    external: ['pg-native'],
    banner: { js: BANNER },
    plugins: [kubeConfigOnly, noMigrationCompiler, filesBeside(folders)],
  });
  const program = join(folder, 'main.mjs');
  writeFileSync(program, asciiOnly(readFileSync(program, 'utf8')));
  for (const each of folders) cpSync(join(ROOT, each), join(folder, each), { recursive: true });
  const packages = bundledPackages(metafile);
  const about = { name: `ordertx-${process.name}`, version: manifest.version, license: manifest.license };
  const bill = spdxDocument({ ...about, ...options, title: process.title, packages });
  writeFileSync(join(folder, 'sbom.spdx.json'), `${JSON.stringify(bill, undefined, 2)}\n`);
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  writeFileSync(join(folder, 'LICENSES-OF-PACKAGES'), licensesOf(packages));
  return folder;
}

/** Those of which anything came through: what was imported and then left out is not in the image. */
function bundledPackages({ outputs }: Metafile): readonly LockedPackage[] {
  const lock = readLock(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const paths = new Set<string>();
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const [, found] = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
      if (found !== undefined && bytesInOutput > 0) paths.add(found);
    }
  }
  return [...paths].toSorted().map((path) => {
    const locked = lock.get(path);
    if (locked === undefined) throw new Error(`${path} is bundled, and package-lock.json does not name it`);
    return locked;
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { base: { type: 'string', default: 'an unnamed image' } } });
  const sourceDateEpoch = Number(process.env.SOURCE_DATE_EPOCH ?? 0);
  if (!Number.isSafeInteger(sourceDateEpoch)) throw new Error('SOURCE_DATE_EPOCH must be whole seconds since 1970');
  mkdirSync(IMAGES_FOLDER, { recursive: true });
  for (const each of PROCESSES) {
    process.stdout.write(`${await bundleProcess(each, { base: values.base, sourceDateEpoch })}\n`);
  }
}

if (import.meta.main) await main();
