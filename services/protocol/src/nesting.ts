/**
 * How deep a payload's objects and arrays may lie in each other.
 *
 * JSON.parse reads any depth; what works with a value afterwards (JSON.stringify, its canonical form, schemas) calls itself level by
 * level, and a few kilobytes of brackets overflow the stack in the middle of it. So the text is looked at before its value is.
 */

/** No order has more than a handful; the deepest recursion survives many times as many. */
export const NESTING_MAX = 100;

/** Of valid JSON. */
export function isNestedDeeper(text: string, max = NESTING_MAX): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (inString) {
      if (char === '\\') index += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      depth += 1;
      if (depth > max) return true;
    } else if (char === '}' || char === ']') depth -= 1;
  }
  return false;
}
