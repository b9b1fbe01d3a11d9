/**
 * A PATH with stand-ins for docker, kind, helm and kubectl: each writes down what it was told, and fails where a test wants it to.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export class FakePrograms {
  readonly folder = mkdtempSync(join(tmpdir(), 'ordertx-programs-'));
  readonly #told = join(this.folder, 'told');

  /** With node and the usual tools behind them, but no other docker, kind, helm or kubectl. */
  get path(): string {
    return `${this.folder}:${dirname(process.execPath)}`;
  }

  /** @param script of a shell, after the program has written down what it was told */
  add(name: string, script = ''): this {
    const file = join(this.folder, name);
    writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> '${this.#told}'\n${script}\n`);
    chmodSync(file, 0o755);
    return this;
  }

  get told(): readonly string[] {
    return existsSync(this.#told) ? readFileSync(this.#told, 'utf8').trim().split('\n') : [];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
