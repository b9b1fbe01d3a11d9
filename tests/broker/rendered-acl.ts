/**
 * Redis's users as the chart renders them, for a Redis of a test's own to read.
 */
import { createHash } from 'node:crypto';
import { openHelm, over, REQUIRED, type Values } from '../chart/chart.ts';
import { secretOf } from '../chart/objects.ts';
import { RIGHTS } from './redis-users.ts';

export const hashOf = (password: string): string => createHash('sha256').update(password).digest('hex');

/** An administrator's line. */
export const adminLine = (admin: string, password: string): string =>
  `user ${admin} on #${hashOf(password)} ~* &* +@all`;

/** users.acl with these values of `redis.acl`. */
export async function renderedAcl(acl: Values): Promise<string> {
  const helm = await openHelm();
  try {
    const objects = await helm.template(over(REQUIRED, { redis: { acl } }));
    return secretOf(objects, 'shop-ordertx-redis-acl')['users.acl'] ?? '';
  } finally {
    await helm.close();
  }
}

/** With one who may do everything, all with this password; nobody gets in without one. */
export function aclFile(admin: string, password: string): Promise<string> {
  const passwordHashes = Object.fromEntries(Object.keys(RIGHTS.users).map((user) => [user, [hashOf(password)]]));
  return renderedAcl({ passwordHashes, extraUsers: [adminLine(admin, password)] });
}
