/**
 * The audit policy of `npm run kind`: the rules of docs/operating/audit.md, for the namespace and the accounts that it installs.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { TRY_OUT } from '../local/try-out/release.ts';

const PAGE = resolve(import.meta.dirname, '../docs/operating/audit.md');

/** The page's rules, and the accounts that they name. */
export function auditRules(): string {
  const [, rules] = /^```yaml\n(.*?)^```$/ms.exec(readFileSync(PAGE, 'utf8')) ?? [];
  if (rules === undefined) throw new Error('docs/operating/audit.md has no rules');
  return rules;
}

export function renderAuditPolicy(): string {
  const { namespace, release } = TRY_OUT;
  const account = (name: string): string => `system:serviceaccount:${namespace}:${release}-${name}`;
  const rules = auditRules()
    .replaceAll(`'system:serviceaccount:shop:ordertx-controller'`, `'${account('controller')}'`)
    .replaceAll(`'system:serviceaccount:shop:order'`, `'${account('order')}'`);
  return `# Generated from docs/operating/audit.md by \`npm run generate\`; do not edit.\n${rules}`;
}
