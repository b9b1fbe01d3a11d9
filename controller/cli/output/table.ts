/**
 * Tables as kubectl prints them: upper-case heads, three spaces between columns, no lines.
 */
import { printable } from './printable.ts';

const GAP = '   ';

/** @param heads empty for none */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (cell === '' ? '' : printable(cell))));
  const lines = heads.length > 0 ? [heads, ...cells] : cells;
  const columns = Math.max(0, ...lines.map((line) => line.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    lines.reduce((width, line) => Math.max(width, widthOf(line[column] ?? '')), 0),
  );
  const lineOf = (line: readonly string[]): string =>
    line
      .map((cell, column) =>
        column === line.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)),
      )
      .join(GAP)
      .trimEnd();
  return lines.map((line) => `${lineOf(line)}\n`).join('');
}

/** In code points, as kubectl counts; wide characters shift a column by little, and only theirs. */
function widthOf(cell: string): number {
  return [...cell].length;
}

/** `1 transaction`, `3 transactions`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
