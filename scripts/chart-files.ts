/**
 * Renders what the chart is given by the rest of the repository: copies of crds/, and the values' part of its README from
 * values.schema.json.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { Generator } from './generator.ts';

const ROOT = resolve(import.meta.dirname, '..');
const CHART = 'helm/ordertx';

/** Helm's Files reach only what is inside of a chart, so what it installs is copied into it. */
export function chartCopies(): readonly Generator[] {
  return [
    ['crds', 'crds'],
    ['crds/flows', 'flows'],
  ].flatMap(([from = '', to = '']) =>
    readdirSync(join(ROOT, from))
      .filter((file) => file.endsWith('.yaml'))
      .toSorted()
      .map((file) => ({
        path: `${CHART}/files/${to}/${file}`,
        render: () =>
          `# A copy of ${from}/${file}: change that, then \`npm run generate\`.\n${read(`${from}/${file}`)}`,
      })),
  );
}

type Schema = {
  readonly $ref?: string;
  readonly description?: string;
  readonly deprecated?: boolean;
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly $defs?: Readonly<Record<string, Schema>>;
};

const MARK =
  '<!-- What follows is generated from values.schema.json and values.yaml: change those, then `npm run generate`. -->';

/** The README's first half is written by hand and kept; behind the mark every value is listed. */
export function renderChartReadme(): string {
  const path = `${CHART}/README.md`;
  const [written = ''] = read(path).split(MARK);
  const schema = JSON.parse(read(`${CHART}/values.schema.json`)) as Schema;
  const defaults: unknown = parse(read(`${CHART}/values.yaml`));
  const rows = rowsOf(schema, schema, defaults, '');
  const head = '| value | default | what it does |\n|---|---|---|\n';
  return `${written.trimEnd()}\n\n${MARK}\n\n## Values\n\n${head}${rows.join('\n')}\n`;
}

function rowsOf(root: Schema, schema: Schema, value: unknown, prefix: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, reference]) => {
    const property = resolved(root, reference);
    if (property.deprecated) return [];
    const path = `${prefix}${name}`;
    const own = isMap(value) ? value[name] : undefined;
    // What has no default has values all the same: those of flows.settings.
    const nested = property.properties !== undefined && (isMap(own) || own === undefined);
    const row = `| \`${path}\` | ${nested ? '' : shown(own)} | ${cell(described(property))} |`;
    return nested ? [row, ...rowsOf(root, property, own, `${path}.`)] : [row];
  });
}

/** A reference's own description says more than that of what it refers to. */
export function resolved(root: Schema, schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  const definition = root.$defs?.[schema.$ref.replace('#/$defs/', '')];
  if (definition === undefined)
    throw new Error(`values.schema.json refers to ${schema.$ref}, which it does not define`);
  return { ...definition, ...schema };
}

function described({ description = '', enum: choices, minimum, maximum }: Schema): string {
  const range = minimum === undefined ? '' : ` From ${minimum}${maximum === undefined ? '' : ` to ${maximum}`}.`;
  const oneOf = choices === undefined ? '' : ` One of ${choices.map((choice) => `\`${choice}\``).join(', ')}.`;
  return `${description}${oneOf}${range}`;
}

function shown(value: unknown): string {
  return value === undefined || value === '' ? '' : `\`${cell(JSON.stringify(value))}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
