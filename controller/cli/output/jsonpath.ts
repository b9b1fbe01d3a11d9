/**
 * kubectl's JSONPath templates: text and paths in braces, {range}, {end} and quoted text.
 *
 * Paths are looked up by jsonpath-plus; this file owns what kubectl puts around them. Conditions are read by its own parser ('safe'),
 * never evaluated as JavaScript.
 */
import { JSONPath } from 'jsonpath-plus';
import { Trouble, usage } from '../trouble.ts';

type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'range'; readonly path: string; readonly body: readonly Piece[] };

export type Template = readonly Piece[];

/** @param text without `jsonpath=`; one without braces is a path */
export function parseTemplate(text: string): Template {
  const pieces = /[{}]/.test(text) ? text : `{${text}}`;
  const tokens = [...pieces.matchAll(/\{((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^{}"'])*)\}|([^{]+)|\{/g)];
  const { template, rest } = readPieces(tokens, 0, false);
  if (rest !== tokens.length) throw usage('-o jsonpath: {end} without {range}');
  return template;
}

function readPieces(
  tokens: readonly RegExpMatchArray[],
  from: number,
  isInRange: boolean,
): { readonly template: Template; readonly rest: number } {
  const template: Piece[] = [];
  let index = from;
  while (index < tokens.length) {
    const [, inBraces, text] = tokens[index] ?? [];
    index += 1;
    if (text !== undefined) template.push({ kind: 'text', text });
    else if (inBraces === undefined) throw usage('-o jsonpath: a brace is not closed');
    else if (inBraces.trim() === 'end') {
      if (isInRange) return { template, rest: index };
      return { template, rest: -1 };
    } else if (/^range\s/.test(inBraces.trim())) {
      const body = readPieces(tokens, index, true);
      template.push({ kind: 'range', path: pathOf(inBraces.trim().slice('range'.length)), body: body.template });
      index = body.rest;
    } else template.push(pieceOf(inBraces.trim()));
  }
  if (isInRange) throw usage('-o jsonpath: {range} without {end}');
  return { template, rest: index };
}

function pieceOf(inBraces: string): Piece {
  const quoted = /^(["'])([\s\S]*)\1$/.exec(inBraces)?.[2];
  if (quoted === undefined) return { kind: 'path', path: pathOf(inBraces) };
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };
  return { kind: 'text', text: quoted.replaceAll(/\\(.)/g, (_, character: string) => escapes[character] ?? character) };
}

/** `.metadata.annotations.ordertx\.dev/x` as jsonpath-plus has it: `$.metadata.annotations['ordertx.dev/x']`. */
function pathOf(text: string): string {
  const path = text.trim().replace(/^[$@]/, '');
  const quoted = path.replaceAll(
    /\.((?:[^.[\]\\]|\\.)*\\\.(?:[^.[\]\\]|\\.)*)/g,
    (_, key: string) => `['${key.replaceAll('\\.', '.')}']`,
  );
  return `$${quoted === '' || /^[.[]/.test(quoted) ? quoted : `.${quoted}`}`;
}

export function render(template: Template, value: unknown): string {
  return template
    .map((piece) => {
      switch (piece.kind) {
        case 'text':
          return piece.text;
        case 'path':
          return lookUp(piece.path, value).map(textOf).join(' ');
        case 'range':
          return lookUp(piece.path, value)
            .map((each) => render(piece.body, each))
            .join('');
      }
    })
    .join('');
}

/** Every value at the path; none where there is none. */
export function lookUp(path: string, value: unknown): readonly unknown[] {
  if (path === '$') return [value];
  if (typeof value !== 'object' || value === null) return [];
  try {
    return JSONPath<unknown[]>({ path, json: value, eval: 'safe', wrap: true });
  } catch (error) {
    throw new Trouble(`jsonpath ${path.slice(1)}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** For --sort-by: `.metadata.name`, with or without braces. */
export function parsePath(text: string): string {
  return pathOf(text.replace(/^\{(.*)\}$/, '$1'));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
