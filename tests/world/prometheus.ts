/**
 * Prometheus's own programs: those on the PATH, else Debian's or Ubuntu's package unpacked into the cache.
 *
 * What is asked of metrics by a rule of its own making would only show that it agrees with itself. So a machine that can have neither is
 * told how to get them, and no test does without.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { unpackedProgram } from '../../local/debian-package.ts';
import type { ProcessGroup } from '../../local/process-group.ts';
import { PROMETHEUS_VERSION_MIN } from '../../local/versions.ts';
import { which } from '../../local/which.ts';

const run = promisify(execFile);

export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

const [MAJOR_MIN, MINOR_MIN] = PROMETHEUS_VERSION_MIN;
const LEAST = `${MAJOR_MIN}.${MINOR_MIN}`;

const WAYS_OUT = `Any one of these helps:
  - install Prometheus ${LEAST} or newer on the PATH: \`apt-get install prometheus\`, \`brew install prometheus\`
  - on Debian or Ubuntu: let \`apt-get download prometheus\` work (network to the package mirror)`;

export async function findPrometheus(group: Pick<ProcessGroup, 'removeAtEnd'>): Promise<PrometheusPrograms> {
  const [prometheus, promtool] = [which('prometheus'), which('promtool')];
  if (prometheus && promtool && (await isNewEnough(promtool))) return { prometheus, promtool };
  try {
    const { folder } = await unpackedProgram(
      {
        ...{ package: 'prometheus', program: 'promtool' },
        async check({ command }) {
          if (!(await isNewEnough(command))) throw new Error(`the mirror's prometheus is older than ${LEAST}`);
        },
      },
      group,
    );
    return { prometheus: `${folder}/prometheus`, promtool: `${folder}/promtool` };
  } catch (cause) {
    throw new Error(`There is no Prometheus. ${(cause as Error).message}\n${WAYS_OUT}`, { cause });
  }
}

async function isNewEnough(promtool: string): Promise<boolean> {
  const { stdout, stderr } = await run(promtool, ['--version']);
  const [, major = 0, minor = 0] = (/version (\d+)\.(\d+)/.exec(stdout + stderr) ?? []).map(Number);
  return major > MAJOR_MIN || (major === MAJOR_MIN && minor >= MINOR_MIN);
}
