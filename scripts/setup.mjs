/**
 * Installs the packages that package-lock.json names, if node_modules doesn't hold exactly them already.
 *
 * Runs on any Node from 20 up and imports nothing but Node, because it runs before anything is installed. What is there
 * is compared with what should be there by npm's own record (node_modules/.package-lock.json, which npm writes last), so
 * an installation that someone made by hand counts, and one that was interrupted doesn't.
 *
 * Two first runs at once: `npm ci` starts by emptying node_modules, so a second one waits until the first is done.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const LOCK_POLL_MS = 250;
const PROGRESS_MS = 15_000;

/** Returns the path of the pinned Node, having installed it and everything else first where needed. */
export async function ensureInstalled(root) {
  const pinnedNode = join(root, 'node_modules', 'node', 'bin', 'node');
  if (isInstalled(root)) return pinnedNode;
  const release = await takeLock(join(root, '.ordertx'));
  try {
    if (!isInstalled(root)) await install(root);
  } finally {
    release();
  }
  if (!isInstalled(root)) {
    throw new Error(
      existsSync(pinnedNode)
        ? 'npm ci ended well, but node_modules does not hold what package-lock.json names'
        : 'npm ci did not bring the pinned Node (package `node`): are install scripts switched off (`npm config get ignore-scripts`)?',
    );
  }
  return pinnedNode;
}

function isInstalled(root) {
  if (!existsSync(join(root, 'node_modules', 'node', 'bin', 'node'))) return false;
  const installed = readPackages(join(root, 'node_modules', '.package-lock.json'));
  if (!installed) return false;
  const wanted = readPackages(join(root, 'package-lock.json'));
  if (!wanted) throw new Error(`${root} has no package-lock.json`);
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === '') return true;
    // Optional packages are missing where they are for another platform.
    return installed[path] ? installed[path].version === version : optional === true;
  });
}

function readPackages(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function install(root) {
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  say('installing packages (npm ci), which takes up to a few minutes the first time ...');
  const ticker = setInterval(() => say(`installing packages ... (${seconds()} s so far)`), PROGRESS_MS);
  // A node in node_modules/.bin would be deleted under npm's feet.
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== join(root, 'node_modules', '.bin'));
  const env = { ...process.env, PATH: path.join(delimiter) };
  const npm = spawn('npm', ['ci', '--loglevel=error', '--no-audit', '--no-fund'], {
    ...{ cwd: root, env, stdio: ['ignore', 2, 2] },
  });
  try {
    await new Promise((resolve, reject) => {
      npm.once('error', (error) => reject(new Error(`npm cannot be started (${error.message}); is it on the PATH?`)));
      npm.once('exit', (code, signal) =>
        code === 0
          ? resolve()
          : reject(new Error(`npm ci failed (${signal ?? `exit code ${code}`}); what it said is above`)),
      );
    });
  } finally {
    clearInterval(ticker);
  }
  say(`packages are installed (${seconds()} s)`);
}

/** Waits for and takes the lock in `folder`; returns the function that gives it back. */
async function takeLock(folder) {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, 'install.lock');
  const mine = `${process.pid} ${randomUUID()}`;
  const release = () => rmSync(lock, { force: true });
  for (let said = false; ; said = true) {
    try {
      writeFileSync(lock, mine, { flag: 'wx' });
      process.once('exit', () => readOrEmpty(lock) === mine && release());
      return release;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const held = readOrEmpty(lock);
    const owner = Number(held.split(' ')[0]);
    if (owner > 0 && !isAlive(owner)) removeStale(lock, held);
    else if (!said) say(`waiting for process ${owner || '?'}, which is installing packages here (${lock})`);
    await pause(LOCK_POLL_MS);
  }
}

/**
 * Removes a dead owner's lock, at most once however many find it: the folder named after this very lock can be made by
 * one of them only, and by then the lock must still be the same.
 */
function removeStale(lock, held) {
  const claim = `${lock}.${held.split(' ')[1]}`;
  try {
    mkdirSync(claim);
  } catch {
    return;
  }
  if (readOrEmpty(lock) === held) rmSync(lock, { force: true });
  rmdirSync(claim);
}

function readOrEmpty(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function say(line) {
  process.stderr.write(`ordertx: ${line}\n`);
}
