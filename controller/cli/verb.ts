/**
 * How a verb is run: main.ts opens a session by the flags of its command and turns its end into an exit code.
 */
import type { Command } from 'commander';
import type { Session } from './session.ts';

/** A number that the verb resolves to is the exit code; anything else is 0. */
export type Run = (command: Command, verb: (session: Session) => Promise<unknown>) => Promise<void>;
