/**
 * A benchmark or a drill as a command.
 */
import { say } from '../../local/progress.ts';

/** Exits with 0; with 1 where it says no, or rejects, with its sentence. What is under way then is not waited for. */
export async function runCommand(main: () => Promise<unknown>): Promise<never> {
  try {
    process.exit((await main()) === false ? 1 : 0);
  } catch (error) {
    say((error as Error).message);
    process.exit(1);
  }
}
