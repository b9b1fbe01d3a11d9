/**
 * -o: how results are printed.
 */
import { stringify } from 'yaml';
import { stringifyAnyDepth } from '../../../services/protocol/src/deep-json.ts';
import { usage } from '../trouble.ts';
import { parseTemplate, render, type Template } from './jsonpath.ts';

export type Format =
  | { readonly kind: 'table'; readonly wide: boolean }
  | { readonly kind: 'json' }
  | { readonly kind: 'yaml' }
  | { readonly kind: 'name' }
  | { readonly kind: 'jsonpath'; readonly template: Template };

const JSONPATH = 'jsonpath=';

export function parseFormat(text: string | undefined): Format {
  switch (text) {
    case undefined:
      return { kind: 'table', wide: false };
    case 'wide':
      return { kind: 'table', wide: true };
    case 'json':
    case 'yaml':
    case 'name':
      return { kind: text };
    default:
      if (text.startsWith(JSONPATH)) return { kind: 'jsonpath', template: parseTemplate(text.slice(JSONPATH.length)) };
      throw usage(`-o: "${text}" is none of json, yaml, name, wide, jsonpath=TEMPLATE`);
  }
}

/** For programs: nobody is asked anything, and nothing else is printed among it. */
export function isForPrograms(format: Format): boolean {
  return format.kind !== 'table';
}

export interface Rendered {
  /** What json, yaml and jsonpath print. */
  readonly object: object;
  /** What `name` prints, one a line. */
  readonly names: readonly string[];
  /** What people read. */
  readonly text: (wide: boolean) => string;
}

export function renderAs(format: Format, { object, names, text }: Rendered): string {
  switch (format.kind) {
    case 'table':
      return text(format.wide);
    case 'json':
      return `${indented(object)}\n`;
    case 'yaml':
      return stringify(plain(object), { lineWidth: 0, aliasDuplicateObjects: false });
    case 'name':
      return names.map((name) => `${name}\n`).join('');
    case 'jsonpath':
      return render(format.template, object);
  }
}

/** As kubectl: four spaces. What is nested too deep for that comes in one line. */
function indented(object: object): string {
  try {
    return JSON.stringify(object, undefined, 4);
  } catch (error) {
    if (error instanceof RangeError) return stringifyAnyDepth(object);
    throw error;
  }
}

/** Numbers that JavaScript cannot hold are objects here, which only JSON prints as they were: YAML gets whole ones digit by digit. */
function plain(object: object): unknown {
  return JSON.parse(stringifyAnyDepth(object), (_key, value: unknown, context?: { readonly source?: string }) => {
    const written = context?.source;
    const isBig = typeof value === 'number' && written !== undefined && /^-?\d{16,}$/.test(written);
    return isBig ? BigInt(written) : value;
  });
}

export function listOf(items: readonly object[]): object {
  return { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items };
}
