/**
 * How deep a payload's objects and arrays may lie in each other.
 *
 * JSON.parse reads any depth; what works with a value afterwards (JSON.stringify, its canonical form, schemas) calls itself level by
 * level, and a few kilobytes of brackets overflow the stack in the middle of it. So the text is looked at before its value is.
 */

/** No order has more than a handful; the deepest recursion survives many times as many. */
export const NESTING_MAX = 100;

/** Of a field's path: what lies deeper says nothing more to a reader. */
const NAMED_LEVELS_MAX = 8;

/** Of valid JSON. */
export function isNestedDeeper(text: string, max = NESTING_MAX): boolean {
  return fieldNestedDeeper(text, max) !== undefined;
}

/** The field of valid JSON that is nested too deep, as in `lines.0.skuId`; '' where that is all of it, undefined where none is. */
export function fieldNestedDeeper(text: string, max = NESTING_MAX): string | undefined {
  /** By level: where in its object or array the reader is. */
  const path: (string | number)[] = [];
  let depth = 0;
  let last = '';
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charAt(index)) {
      case '"': {
        const end = endOfString(text, index);
        if (depth <= NAMED_LEVELS_MAX) last = text.slice(index, end + 1);
        index = end;
        break;
      }
      case ':':
        if (depth <= NAMED_LEVELS_MAX) path[depth - 1] = JSON.parse(last) as string;
        break;
      case ',': {
        const at = path[depth - 1];
        if (typeof at === 'number') path[depth - 1] = at + 1;
        break;
      }
      case '{':
      case '[':
        depth += 1;
        if (depth > max) return fieldOf(path);
        path[depth - 1] = text[index] === '[' ? 0 : '';
        break;
      case '}':
      case ']':
        depth -= 1;
    }
  }
  return undefined;
}

function endOfString(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end;
}

/** Down to the last name: `skuId` and not the lists in it. */
function fieldOf(path: readonly (string | number)[]): string {
  const named = path.slice(0, NAMED_LEVELS_MAX);
  return named.slice(0, named.findLastIndex((at) => typeof at === 'string') + 1).join('.');
}
