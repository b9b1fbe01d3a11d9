/**
 * What services wrote into a status is shown on terminals: whoever writes an answer must not be able to move somebody's cursor,
 * hide a line or turn its text around.
 */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** One line, with what is not for reading written out. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    switch (character) {
      case '\n':
        return ' ';
      case '\t':
        return ' ';
      default:
        return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    }
  });
}
