/**
 * `npm run up` as a person or a tool outside the repository meets it: a process, its stack.json, and what it leaves behind.
 */
import { expect } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../../local/alive.ts';
import { waitFor } from '../../local/deadline.ts';
import { isFree } from '../../local/ports.ts';
import { inheritedEnvironment } from '../../local/process-group.ts';
import type { StackDescription } from '../../local/stack.ts';

export const UP_MS = 120_000;
export const GONE_MS = 20_000;
export const BACK_MS = 60_000;

export type System = {
  readonly up: ChildProcess;
  /** On stdout, so far. */
  readonly printed: () => string;
  /** What it said on stderr so far. */
  readonly said: () => string;
  readonly folder: string;
  /** The only place it may put temporary files. */
  readonly temporary: string;
  readonly exitCode: Promise<number | null>;
};

export async function startUp(
  root: string,
  name: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<System> {
  const folder = join(root, name);
  const temporary = join(root, `${name}-tmp`);
  await mkdir(temporary, { recursive: true });
  const up = spawn(process.execPath, [join(import.meta.dirname, '../../local/up.ts'), '--dir', folder, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inheritedEnvironment(), TMPDIR: temporary, ...env },
  });
  let [said, printed] = ['', ''];
  up.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  up.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exitCode = new Promise<number | null>((resolve) => up.once('exit', (code) => resolve(code)));
  return { up, printed: () => printed, said: () => said, folder, temporary, exitCode };
}

export async function describedBy(system: System): Promise<StackDescription | undefined> {
  const text = await readFile(join(system.folder, 'stack.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as StackDescription);
}

export async function untilUp(system: System): Promise<StackDescription> {
  return waitFor(() => describedBy(system), {
    ...{ what: 'stack.json', deadlineMs: UP_MS },
    giveUp: () => {
      if (system.up.exitCode !== null) throw new Error(`up ended early: ${system.said()}`);
    },
  });
}

/** By the name that a restart test or a failure message uses. */
export function pidsOf({ services, controllers, ...servers }: StackDescription): Readonly<Record<string, number>> {
  const { postgres, redis, apiserver, etcd } = servers;
  return {
    ...Object.fromEntries(Object.entries(services).map(([name, { pid }]) => [name, pid])),
    ...Object.fromEntries(controllers.map(({ pid }, index) => [`controller ${index + 1}`, pid])),
    ...{ postgres: postgres.pid, redis: redis.pid ?? 0, apiserver: apiserver.pid, etcd: etcd.pid },
  };
}

export function urlsOf({ services, controllers, redisUrl }: StackDescription): readonly string[] {
  const ofServices = Object.values(services).map(({ url }) => url);
  return [...ofServices, services.order.databaseUrl, redisUrl, ...controllers.map(({ url }) => url)];
}

export async function nothingIsLeft(system: System, description: StackDescription): Promise<void> {
  const pids = Object.values(pidsOf(description));
  await waitFor(async () => !pids.some(isAlive), { what: 'every process to end', deadlineMs: GONE_MS });
  await waitFor(async () => (await readdir(system.temporary)).length === 0, {
    ...{ what: 'the temporary folder to disappear', deadlineMs: GONE_MS },
  });
  const ports = urlsOf(description).map((url) => Number(new URL(url).port));
  expect(await Promise.all(ports.map(isFree))).toEqual(ports.map(() => true));
  await waitFor(async () => (await readdir(system.folder)).join() === 'logs', {
    ...{ what: 'only the logs to be left', deadlineMs: GONE_MS },
  });
}

/** Returns the status and what was answered: 201 is an order whose stock is reserved. */
export async function placeOrder({ services }: StackDescription, key: string): Promise<readonly [number, string]> {
  const json = { 'content-type': 'application/json' };
  const stocked = JSON.stringify({ stocked: 1_000 });
  await fetch(`${services.inventory.url}/stock/tea`, { method: 'PUT', headers: json, body: stocked });
  const lines = [{ skuId: 'tea', quantity: 1, unitPriceCents: 450 }];
  const answer = await fetch(`${services.order.url}/orders`, {
    method: 'POST',
    headers: { ...json, 'idempotency-key': key, prefer: 'wait=20' },
    body: JSON.stringify({ userId: 'u1', lines }),
  });
  return [answer.status, await answer.text()];
}

function pidOf(description: StackDescription, name: string): number {
  const pid = pidsOf(description)[name];
  if (pid === undefined) throw new Error(`the system has no ${name}`);
  return pid;
}

/** kill -9: the part is back, all addresses are what they were, and an order goes through. */
export async function comesBack(system: System, name: string): Promise<void> {
  const before = await untilUp(system);
  process.kill(pidOf(before, name), 'SIGKILL');
  const after = await waitFor(
    async () => {
      const now = await untilUp(system);
      return pidOf(now, name) !== pidOf(before, name) && now;
    },
    { what: `${name} to come back`, deadlineMs: BACK_MS },
  );
  expect(isAlive(pidOf(after, name))).toBe(true);
  expect(urlsOf(after)).toEqual(urlsOf(before));
  let attempt = 0;
  await waitFor(
    async () => {
      // An order that was placed too early may be cancelled for want of an answer; then the customer tries again.
      const [status, answer] = await placeOrder(after, `${name.replace(' ', '-')}-${(attempt += 1)}`);
      if (status !== 201) throw new Error(`it was answered ${status}: ${answer}`);
      return true;
    },
    { what: 'an order to go through', deadlineMs: BACK_MS },
  );
}
