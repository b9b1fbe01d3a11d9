/** The processes of a group end with it, however it ends. */
import { describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { isAlive } from './alive.ts';
import { waitFor } from './deadline.ts';
import { openProcessGroup, type ProcessGroup, type ProcessSpec } from './process-group.ts';

const GONE_MS = 15_000;

function nodeProgram(name: string, program: string): ProcessSpec {
  return { name, command: process.execPath, args: ['--eval', program] };
}

const idle = nodeProgram('idle', 'setInterval(() => {}, 1000)');
/** Deaf to every polite request, as a hung server is. */
const deaf = nodeProgram('deaf', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('deaf')");

async function gone(what: string, isGone: () => boolean): Promise<void> {
  await waitFor(async () => isGone(), { what: `${what} to be gone`, deadlineMs: GONE_MS });
}

async function withProcessGroup(use: (group: ProcessGroup) => Promise<void>): Promise<void> {
  const group = await openProcessGroup({ stopMs: 500 });
  try {
    await use(group);
  } finally {
    await group.close();
  }
}

/** Opens a process group in a process of its own, which starts an idle process and says what there is. */
async function groupElsewhere(leftover: string) {
  const program = `
    import { openProcessGroup } from ${JSON.stringify(join(import.meta.dirname, 'process-group.ts'))};
    const group = await openProcessGroup();
    group.removeAtEnd(${JSON.stringify(leftover)});
    const { pid } = await group.start(${JSON.stringify(idle)});
    console.log(JSON.stringify({ pid, supervisorPid: group.supervisorPid, folder: group.folder }));
  `;
  const owner = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) => createInterface({ input: owner.stdout }).once('line', resolve));
  return { owner, ...(JSON.parse(line) as { pid: number; supervisorPid: number; folder: string }) };
}

describe('a process group', () => {
  test('killed with -9 leaves no process, no folder and nothing else it answers for', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'processes-test-'));
    const leftover = join(elsewhere, 'stack.json');
    await writeFile(leftover, '{}');
    const { owner, pid, supervisorPid, folder } = await groupElsewhere(leftover);
    expect([isAlive(pid), isAlive(supervisorPid), existsSync(folder)]).toEqual([true, true, true]);

    owner.kill('SIGKILL');

    await gone('the process', () => !isAlive(pid));
    await gone('the supervisor', () => !isAlive(supervisorPid));
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(leftover)).toBe(false);
    await rm(elsewhere, { recursive: true });
  });

  test('that is closed ends its processes and removes its folder', async () => {
    const group = await openProcessGroup();
    const { pid, exited } = await group.start(idle);
    await group.close();
    expect(await exited).toEqual({ code: null, signal: 'SIGTERM' });
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(group.folder)).toBe(false);
  });

  test('starts nothing any more once it is being closed', async () => {
    const group = await openProcessGroup();
    const closed = group.close();
    await expect(group.start(idle)).rejects.toThrow('is being stopped');
    await closed;
  });

  test('whose supervisor is killed ends its processes and says so', async () => {
    const group = await openProcessGroup();
    const { pid, exited } = await group.start(idle);
    process.kill(group.supervisorPid, 'SIGKILL');
    expect((await group.broken).message).toContain(`pid ${group.supervisorPid}`);
    await exited;
    await gone('the process', () => !isAlive(pid));
    await group.close();
    expect(existsSync(group.folder)).toBe(false);
  });
});

describe('a process', () => {
  test('says how it ended and what it said last', async () => {
    await withProcessGroup(async (group) => {
      const failing = await group.start(nodeProgram('failing', "console.error('no such bean'); process.exit(3)"));
      expect(await failing.exited).toEqual({ code: 3, signal: null });
      expect(await failing.logTail()).toBe('no such bean');
    });
  });

  test('that cannot be started is an error that names it', async () => {
    await withProcessGroup(async (group) => {
      const missing: ProcessSpec = { name: 'missing', command: '/no/such/program', args: [] };
      await expect(group.start(missing)).rejects.toThrow('cannot start missing');
    });
  });

  test('is killed together with what it started', async () => {
    await withProcessGroup(async (group) => {
      const parent = `const { pid } = require('node:child_process').spawn(process.execPath, ${JSON.stringify(idle.args)});
        console.log(pid); setInterval(() => {}, 1000)`;
      const process_ = await group.start(nodeProgram('parent', parent));
      const child = Number(
        await waitFor(async () => (await process_.logTail()) || undefined, { what: 'the pid', deadlineMs: GONE_MS }),
      );
      process_.kill('SIGKILL');
      await process_.exited;
      await gone('the grandchild', () => !isAlive(child));
    });
  });

  test('that is deaf to being asked is killed', async () => {
    await withProcessGroup(async (group) => {
      const process_ = await group.start(deaf);
      await waitFor(async () => (await process_.logTail()) === 'deaf', { what: 'it to be deaf', deadlineMs: GONE_MS });
      expect(await process_.stop()).toEqual({ code: null, signal: 'SIGKILL' });
    });
  });
});

test('leaves are stopped together, and only then what they stand on', async () => {
  const STOP_MS = 3_000;
  const group = await openProcessGroup({ stopMs: STOP_MS });
  const ground = await group.start(idle);
  const leaves = await Promise.all([1, 2, 3].map(() => group.start({ ...deaf, leaf: true })));
  for (const leaf of leaves)
    await waitFor(async () => (await leaf.logTail()).includes('deaf'), { what: 'it to be deaf', deadlineMs: GONE_MS });
  const sinceMs = performance.now();
  const groundWas = Promise.all(leaves.map((leaf) => leaf.exited)).then(() => ground.hasExited());
  await group.close();
  expect(await groundWas).toBeUndefined();
  // One after the other they would take at least this long.
  expect(performance.now() - sinceMs).toBeLessThan(leaves.length * STOP_MS);
}, 30_000);
