/**
 * What every bundle of our own sources needs: of the Kubernetes client only what reads kubeconfigs (ADR 6), SQL as text where it is read.
 */
import type { Plugin } from 'esbuild';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '..');

const SQL_FILE = /sqlFile\(import\.meta\.url, '([^']+)'\)/g;

/** The library's config.js names two things of the thousands that are generated beside it. */
export const kubeConfigOnly: Plugin = {
  name: 'kube-config-only',
  setup(builder) {
    builder.onResolve({ filter: /\/kube-config\.ts$/ }, ({ kind, resolveDir }) =>
      builder.resolve('@kubernetes/client-node/dist/config.js', { kind, resolveDir }),
    );
    builder.onResolve({ filter: /^\.\/gen\/index\.js$/ }, ({ importer }) =>
      importer.endsWith('/@kubernetes/client-node/dist/config.js')
        ? { path: join(ROOT, 'services/kube-config/src/kube-config-generated.ts') }
        : undefined,
    );
  },
};

/** A source's lines of code; examples in comments stay as they are. */
export function rewriteCode(source: string, rewrite: (line: string) => string): string {
  const isComment = (line: string) => /^\s*(\/?\*+( |\/|$)|\/\/)/.test(line);
  return source
    .split('\n')
    .map((line) => (isComment(line) ? line : rewrite(line)))
    .join('\n');
}

/** A source's text with the statements in it that it would read from beside itself. */
export function withStatements(path: string): string {
  const statement = (_: string, file: string) => JSON.stringify(readFileSync(join(dirname(path), file), 'utf8'));
  return rewriteCode(readFileSync(path, 'utf8'), (line) => line.replaceAll(SQL_FILE, statement));
}
