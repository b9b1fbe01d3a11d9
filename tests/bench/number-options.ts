/**
 * A command's options where each is one number.
 */
import { parseArgs } from 'node:util';

/**
 * @param defaults by the option's name, without its dashes
 * @throws where one is no number from 1, naming it
 */
export function readNumbers<Name extends string>(
  defaults: Readonly<Record<Name, number>>,
): Readonly<Record<Name, number>> {
  const names = Object.keys(defaults) as Name[];
  const options = Object.fromEntries(
    names.map((name) => [name, { type: 'string', default: String(defaults[name]) }] as const),
  );
  const { values } = parseArgs({ options });
  const numbers = Object.fromEntries(names.map((name) => [name, Number(values[name])])) as Record<Name, number>;
  const wrong = names.find((name) => !(numbers[name] >= 1));
  if (wrong !== undefined) throw new Error(`--${wrong} must be a number from 1, and is ${String(values[wrong])}`);
  return numbers;
}
