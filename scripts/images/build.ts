/**
 * Builds every image, or those that are named: `npm run images -- [--docker PROGRAM] [--tag TAG] [--only NAME,...] -- [docker build's arguments]`
 *
 * They are called `ordertx/<process>:<tag>`; the tag is package.json's version where none is given.
 */
import { execFile, spawn } from 'node:child_process';
import { parseArgs, promisify } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { ROOT } from '../bundling.ts';
import { PROCESSES, type Process } from './processes.ts';

const USAGE =
  'npm run images -- [--docker PROGRAM] [--tag TAG] [--only NAME,...] -- [arguments for docker build, as --build-arg NODE_IMAGE=...]';
const TAG = /^[\w][\w.-]{0,127}$/;
const MEGABYTE = 1e6;

export interface Wanted {
  /** The program and what it is told before the command: a host, say. */
  readonly docker: readonly string[];
  readonly tag: string;
  readonly images: readonly Process[];
  /** For `docker build`. */
  readonly buildArgs: readonly string[];
}

/** @throws with a sentence that says what to write instead */
export function readArguments(args: readonly string[]): Wanted {
  const end = args.indexOf('--');
  const [own, buildArgs] = end < 0 ? [args, []] : [args.slice(0, end), args.slice(end + 1)];
  const { values } = parseArgs({
    args: [...own],
    options: {
      docker: { type: 'string', default: 'docker' },
      tag: { type: 'string', default: manifest.version },
      only: { type: 'string' },
    },
  });
  if (!TAG.test(values.tag)) throw new Error(`--tag: "${values.tag}" is no tag: letters, digits, dots and hyphens`);
  const names = values.only?.split(',') ?? PROCESSES.map(({ name }) => name);
  const images = names.map((name) => {
    const found = PROCESSES.find((process) => process.name === name);
    const known = PROCESSES.map((process) => process.name).join(', ');
    if (found === undefined) throw new Error(`--only: there is no image "${name}"; there are ${known}`);
    return found;
  });
  return { docker: values.docker.trim().split(/\s+/), tag: values.tag, images, buildArgs };
}

export const imageName = ({ name }: Process, tag: string): string => `ordertx/${name}:${tag}`;

/** What is said in labels and bills of materials: of the commit, so that the same sources give the same image. */
async function commit(): Promise<{ readonly revision: string; readonly sourceDateEpoch: string }> {
  const git = async (...args: string[]) => (await promisify(execFile)('git', args, { cwd: ROOT })).stdout.trim();
  try {
    const [revision, sourceDateEpoch, changed] = [
      await git('rev-parse', 'HEAD'),
      await git('log', '-1', '--format=%ct'),
      await git('status', '--porcelain'),
    ];
    return { revision: changed === '' ? revision : `${revision}-modified`, sourceDateEpoch };
  } catch {
    // An archive of the sources is no less buildable than a clone.
    return { revision: 'unknown', sourceDateEpoch: '0' };
  }
}

async function main(): Promise<void> {
  const { docker, tag, images, buildArgs } = readArguments(process.argv.slice(2));
  const [program = 'docker', ...global] = docker;
  const { revision, sourceDateEpoch } = await commit();
  const facts = { VERSION: manifest.version, REVISION: revision, SOURCE_DATE_EPOCH: sourceDateEpoch };
  const about = Object.entries(facts).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  for (const image of images) {
    const name = imageName(image, tag);
    await run(program, [...global, 'build', '--target', image.name, '--tag', name, ...about, ...buildArgs, ROOT]);
    const inspect = [...global, 'image', 'inspect', '--format', '{{.Size}}', name];
    const { stdout } = await promisify(execFile)(program, inspect);
    process.stdout.write(`${name}  ${(Number(stdout) / MEGABYTE).toFixed(0)} MB\n`);
  }
}

/** What docker says goes to stderr; stdout is for the images' names. */
async function run(program: string, args: readonly string[]): Promise<void> {
  // Docker before 23 builds every stage, needed or not, unless it is told to use BuildKit.
  const env = { DOCKER_BUILDKIT: '1', ...process.env };
  const child = spawn(program, args, { stdio: ['ignore', 2, 2], env });
  const [code, error] = await new Promise<[number | null, Error | undefined]>((resolve) => {
    child.once('error', (failed) => resolve([null, failed]));
    child.once('exit', (ended) => resolve([ended, undefined]));
  });
  if (error !== undefined)
    throw new Error(`${program} cannot be started (${error.message}): install docker, or name it by --docker`);
  if (code !== 0) throw new Error(`${program} ${args.slice(0, 6).join(' ')} ... failed; what it said is above`);
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    process.stderr.write(`images: ${(error as Error).message}\nusage: ${USAGE}\n`);
    process.exitCode = 2;
  });
}
