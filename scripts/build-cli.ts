/**
 * Builds kubectl's plugin: one JavaScript file that needs nothing but a Node (docs/adr/0040-the-plugin-is-one-file.md).
 *
 * dist/kubectl-ordertx/ becomes an npm package of its own: `npm install --global ./dist/kubectl-ordertx` puts kubectl-ordertx and
 * kubectl_complete-ordertx on the PATH.
 *
 * 1. An old Node reads the whole file before it runs any of it, so the program stands in it as a string: what precedes it is
 *    JavaScript of 2009, checks the version and says a sentence.
 * 2. SQL files are put in as text; of the Kubernetes client only what reads kubeconfigs is taken (ADR 6).
 */
import { build, type BuildResult, type Plugin } from 'esbuild';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import { kubeConfigOnly, ROOT, withStatements } from './bundling.ts';

export const CLI_FOLDER = join(ROOT, 'dist', 'kubectl-ordertx');
const PROGRAM = 'kubectl-ordertx';

/** Of what is bundled, undici asks for the newest one. */
export const NODE_OLDEST = oldestNode();

const sqlAsText: Plugin = {
  name: 'sql-as-text',
  setup(builder) {
    builder.onLoad({ filter: /\/archive\/queries\.ts$/ }, ({ path }) => ({
      loader: 'ts',
      contents: withStatements(path),
    }));
  },
};

async function bundle(): Promise<string> {
  const result: BuildResult<{ write: false }> = await build({
    absWorkingDir: ROOT,
    entryPoints: ['controller/cli/main.ts'],
    bundle: true,
    write: false,
    minify: true,
    keepNames: true,
    platform: 'node',
    format: 'cjs',
    target: `node${NODE_OLDEST}`,
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'warning',
    external: ['pg-native'],
    plugins: [kubeConfigOnly, sqlAsText],
  });
  return result.outputFiles[0]?.text ?? '';
}

/** JavaScript of 2009 up to the program: whoever has an older Node reads a sentence, and no SyntaxError. */
function withHead(program: string): string {
  const [major = '', minor = ''] = NODE_OLDEST.split('.');
  const wrapped = `(function (require, module, exports, __filename, __dirname) {${program}\n})`;
  return `#!/usr/bin/env node
// ${PROGRAM} ${manifest.version}, made by scripts/build-cli.ts of ordertx. Licensed under the Apache License 2.0.
var node = process.versions.node.split('.');
if (Number(node[0]) < ${major} || (Number(node[0]) === ${major} && Number(node[1]) < ${minor})) {
  console.error('error: ${PROGRAM} needs Node ${major}.${minor} or newer, and this is Node ' + process.versions.node +
    ': put a newer node first on the PATH');
  process.exit(1);
} else {
  var vm = require('vm');
  new vm.Script(${literal(wrapped)}, {
    filename: __filename,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER
  }).runInThisContext()(require, module, exports, __filename, __dirname);
}
`;
}

/** A string as JavaScript of any age reads it: JSON's, but for two characters that ended a line until 2019. */
function literal(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

function oldestNode(): string {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'node_modules/undici/package.json'), 'utf8')) as {
    readonly engines: { readonly node: string };
  };
  const [, version] = /^>=(\d+\.\d+\.\d+)$/.exec(engines.node) ?? [];
  if (version === undefined) throw new Error(`undici asks for Node ${engines.node}, which is not understood here`);
  return version;
}

/** What npm installs: two names for one file, which looks at the name it was called by. */
function packageOf(): string {
  const { version, description, license } = manifest;
  const bin = { [PROGRAM]: `./${PROGRAM}`, 'kubectl_complete-ordertx': `./${PROGRAM}` };
  const engines = { node: `>=${NODE_OLDEST}` };
  return `${JSON.stringify({ name: PROGRAM, version, description, license, bin, engines, files: [PROGRAM] }, undefined, 2)}\n`;
}

/** @returns the path of the program */
export async function buildCli(folder: string = CLI_FOLDER): Promise<string> {
  const program = join(folder, PROGRAM);
  const text = withHead(await bundle());
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(program, text, { mode: 0o755 });
  writeFileSync(join(folder, 'package.json'), packageOf());
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  return program;
}

if (import.meta.main) process.stdout.write(`${await buildCli()}\n`);
