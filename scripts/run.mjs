/**
 * How every npm script starts: `node scripts/run.mjs <target> [arguments]` on any Node from 20 up.
 *
 * Installs what is missing (setup.mjs), then runs the target on the pinned Node: a TypeScript file, `jest`, or `verify`,
 * which is every check and at last all tests. package.json's scripts all come in here.
 */
import { spawn } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './setup.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const OLDEST_NODE = 20;

const bin = (name) => join(ROOT, 'node_modules', '.bin', name);

// jest runs ES modules through a Node feature that announces itself as experimental in every worker.
const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', bin('jest')];

/** The longest first: they are done two at a time. */
const CHECKS = [
  { name: 'lint', args: [bin('eslint'), '.'] },
  { name: 'types', args: [bin('tsc'), '-p', '.'] },
  { name: 'format', args: [bin('prettier'), '--check', '--log-level', 'warn', '.'] },
  {
    name: 'dependencies between folders',
    args: [
      bin('depcruise'),
      '--config',
      '.dependency-cruiser.mjs',
      'controller',
      'dashboards',
      'services',
      'crds',
      'local',
      'tests',
      'scripts',
    ],
  },
  { name: 'generated files', args: ['scripts/generate.ts', '--check'] },
];

async function main([target, ...rest]) {
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
    throw new Error(`this is Node ${process.versions.node}; ordertx needs ${OLDEST_NODE} or newer to bring its own`);
  }
  if (!target) throw new Error('usage: node scripts/run.mjs <file.ts | jest | verify> [arguments]');
  const node = await ensureInstalled(ROOT);
  if (target === 'jest') return become(node, [...JEST, ...rest]);
  if (target === 'verify') return verify(node, rest);
  return become(node, [resolve(ROOT, target), ...rest]);
}

async function verify(node, jestArguments) {
  const waiting = [...CHECKS];
  const failed = [];
  const lane = async () => {
    while (waiting.length > 0 && failed.length === 0) {
      const { name, args } = waiting.shift();
      const startedAt = Date.now();
      const { code, signal } = await run(node, args);
      if (signal) failed.push(`${name} (ended by ${signal})`);
      else if (code !== 0) failed.push(name);
      else process.stderr.write(`ordertx: verify: ${name} ok (${((Date.now() - startedAt) / 1000).toFixed(1)} s)\n`);
    }
  };
  await Promise.all([lane(), lane()]);
  if (failed.length > 0) throw new Error(`verify: failed: ${failed.join(', ')}; what is wrong is above`);
  return become(node, [...JEST, ...jestArguments]);
}

/**
 * Runs the target in place of this process where Node can do that, so that there is one process to signal and to kill;
 * else as a child whose end is ours. ORDERTX_LAUNCHER tells the target that it is such a child.
 */
async function become(node, args) {
  if (process.execve && process.platform !== 'win32') {
    process.execve(node, [node, ...args], environment());
  }
  const { code, signal } = await run(node, args, { ORDERTX_LAUNCHER: String(process.pid) });
  if (signal) process.kill(process.pid, signal);
  process.exitCode = code ?? 1;
}

function run(node, args, extra = {}) {
  const child = spawn(node, args, { cwd: ROOT, stdio: 'inherit', env: { ...environment(), ...extra } });
  // A terminal's Ctrl-C reaches the child by itself; a signal to us alone has to be passed on.
  const ignore = () => {};
  const forward = (signal) => child.kill(signal);
  process.on('SIGINT', ignore).on('SIGTERM', forward).on('SIGHUP', forward);
  return new Promise((resolveExit, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('SIGINT', ignore).off('SIGTERM', forward).off('SIGHUP', forward);
      resolveExit({ code, signal });
    });
  });
}

/**
 * For whatever the target starts: the pinned Node first on the PATH, and what it has compiled kept. A service is started in two thirds
 * of the CPU then, and a run of all tests starts hundreds.
 */
function environment() {
  return {
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules', '.cache', 'compiled'),
    ...process.env,
    PATH: `${join(ROOT, 'node_modules', '.bin')}:${process.env.PATH ?? ''}`,
  };
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`ordertx: ${error.message}\n`);
  process.exitCode = 1;
});
