/**
 * A bundle's text in ASCII: with one character beyond it Node holds the whole text in two bytes a character.
 *
 * The bundler has escaped strings and names, and leaves regular expressions and packages' comments as they are. An escape means the
 * same there, but behind a backslash and in a raw template, where it leaves them, too.
 */
const OTHERWISE_READ = /String\.raw`[^`]*[^\0-\x7f`][^`]*`|(?<!\\)(?:\\\\)*\\[^\0-\x7f]/;

/** @throws where a character stands that an escape would not mean */
export function asciiOnly(text: string): string {
  const [lost] = OTHERWISE_READ.exec(text) ?? [];
  if (lost !== undefined) throw new Error(`an escape would not mean the same here, so write it in ASCII: ${lost}`);
  return text.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
