/**
 * The users of the chart's redis-acl.yaml and their rights. What a Redis is given is rendered from it: rendered-acl.ts.
 */
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
