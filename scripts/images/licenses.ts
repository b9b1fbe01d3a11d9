/**
 * The license texts of bundled packages: most licenses want theirs to go wherever the code goes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../bundling.ts';
import type { LockedPackage } from './bill-of-materials.ts';

const LICENSE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** One text. A package without a file of its own is named with what its manifest says. */
export function licensesOf(packages: readonly LockedPackage[]): string {
  return packages
    .map(({ path, name, version, license = 'no license named' }) => {
      const texts = readdirSync(join(ROOT, path))
        .filter((file) => LICENSE_FILE.test(file))
        .toSorted()
        .map((file) => readFileSync(join(ROOT, path, file), 'utf8').trim());
      return [`${name} ${version} (${license})`, ...texts].join('\n\n');
    })
    .join(`\n\n${'-'.repeat(80)}\n\n`)
    .concat('\n');
}
