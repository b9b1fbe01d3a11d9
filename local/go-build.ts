/**
 * Builds one program from the published Go modules that a folder of control-plane/modules pins.
 */
import { join } from 'node:path';
import { inheritedEnvironment, type ProcessGroup } from './process-group.ts';
import { progress } from './progress.ts';
import { which } from './which.ts';

export type GoProgram = {
  /** What the file is called, and the program in what is said of it. */
  readonly name: string;
  readonly version: string;
  /** The folder of control-plane/modules with its go.mod and go.sum. */
  readonly module: string;
  /** The package that holds its main. */
  readonly main: string;
  /** Of variables that a release build sets, by package path and name. */
  readonly variables?: Readonly<Record<string, string>>;
  /** How long it takes on two cores. */
  readonly minutes: string;
};

const MODULES = join(import.meta.dirname, 'control-plane', 'modules');

/** Writes `<into>/<name>`. The compiler runs in the process group, so that it ends with us: it would go on for minutes. */
export async function goBuild(group: Pick<ProcessGroup, 'start'>, program: GoProgram, into: string): Promise<void> {
  const command = which('go');
  if (!command) throw new Error('there is no `go` on the PATH');
  const { name, version, module, main, variables = {}, minutes } = program;
  const settings = Object.entries(variables).map(([variable, value]) => `-X ${variable}=${value}`);
  const linker = ['-s', '-w', ...settings].join(' ');
  const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', linker, '-o', join(into, name), main];
  const env = { ...inheritedEnvironment(), CGO_ENABLED: '0' };
  await progress(`building ${name} ${version} (once, ${minutes})`, async () => {
    const running = await group.start({ name: `build-${name}`, command, args, cwd: join(MODULES, module), env });
    const { code, signal } = await running.exited;
    if (code === 0) return;
    const output = await running.logTail();
    throw new Error(`\`go build\` failed (${signal ?? `exit code ${code}`}): ${lastLines(output)}`);
  });
}

const ERROR_LINES_MAX = 5;

function lastLines(output: string): string {
  return output.split('\n').slice(-ERROR_LINES_MAX).join('\n    ');
}
