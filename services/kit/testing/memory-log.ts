/**
 * A log that keeps its lines, for tests that look at what was logged.
 */
import { Writable } from 'node:stream';
import { createLog, type Log } from '../src/log.ts';

export function memoryLog(level = 'info'): { readonly log: Log; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  return { log: createLog({ name: 'test', level, destination }), lines };
}
