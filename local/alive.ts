/**
 * Whether a process exists. A zombie counts as dead: it serves nothing, it only waits for its parent to look.
 */
import { readFileSync } from 'node:fs';

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    // /proc/PID/stat: pid (name) state ...; the name may hold spaces and brackets, the state follows the last bracket.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !stat
      .slice(stat.lastIndexOf(')') + 1)
      .trim()
      .startsWith('Z');
  } catch {
    return process.platform !== 'linux';
  }
}
