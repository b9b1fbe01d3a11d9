/**
 * The users of the chart's redis-acl.yaml, as a Redis of a test's own gets them.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

interface Rights {
  readonly everyone: readonly string[];
  readonly users: Readonly<Record<string, readonly string[]>>;
}

export const RIGHTS = parse(
  readFileSync(join(import.meta.dirname, '../../helm/ordertx/files/redis-acl.yaml'), 'utf8'),
) as Rights;

/** An ACL file: those users and one who may do everything, all with this password; nobody gets in without one. */
export function aclFile(admin: string, password: string): string {
  const hash = createHash('sha256').update(password).digest('hex');
  const users = Object.entries(RIGHTS.users).map(
    ([name, rules]) => `user ${name} on #${hash} ${[...RIGHTS.everyone, ...rules].join(' ')}`,
  );
  return ['user default off', `user ${admin} on #${hash} ~* &* +@all`, ...users, ''].join('\n');
}
