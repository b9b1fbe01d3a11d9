/**
 * JSON.stringify for what others have nested: it calls itself level by level and throws RangeError some thousand levels down, which a
 * payload of a few kilobytes reaches. Who passes payloads on must not fall over one; who reads it refuses it by its limit (nesting.ts).
 */

/** Node has had it since 21, TypeScript's library has not. */
const { isRawJSON } = JSON as unknown as { readonly isRawJSON: (value: unknown) => boolean };

/** Of what JSON can hold: plain objects and arrays, without toJSON. Members that are undefined are left out. */
export function stringifyAnyDepth(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return stringifyWithoutRecursion(value);
  }
}

interface ToWrite {
  readonly value: unknown;
}

function stringifyWithoutRecursion(root: unknown): string {
  const written: string[] = [];
  /** The last is next; texts are written as they are. */
  const left: (string | ToWrite)[] = [{ value: root }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next === 'string') written.push(next);
    else if (isNested(next.value)) left.push(...piecesOf(next.value).toReversed());
    else written.push(JSON.stringify(next.value));
  }
  return written.join('');
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !isRawJSON(value);
}

function piecesOf(value: object): (string | ToWrite)[] {
  const comma = (index: number): string => (index === 0 ? '' : ',');
  if (Array.isArray(value))
    return ['[', ...value.flatMap((item: unknown, index) => [comma(index), { value: item }]), ']'];
  const entries: [string, unknown][] = Object.entries(value);
  const members = entries.filter(([, member]) => member !== undefined);
  const pieces = members.flatMap(([name, member], index) => [
    `${comma(index)}${JSON.stringify(name)}:`,
    { value: member },
  ]);
  return ['{', ...pieces, '}'];
}
