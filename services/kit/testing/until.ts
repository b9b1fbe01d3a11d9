/**
 * Waiting for a condition with a deadline, instead of sleeping and hoping.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** A loaded machine is slow, and what is waited for may itself wait for seconds: a poll, a connection that is made again. */
const DEADLINE_MS = 20_000;
const POLL_MS = 10;

/** Polls until the condition holds; past the deadline it throws, saying what it waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`waited ${DEADLINE_MS} ms in vain until ${what}`);
    await delay(POLL_MS);
  }
}
