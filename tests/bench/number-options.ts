/**
 * A command's options where each is one number, or says yes by being there.
 */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/**
 * @param defaults by the option's name, without its dashes
 * @param flags those that take no number
 * @throws where one is no number from 1, naming it
 */
export function readNumbers<Name extends string, Flag extends string = never>(
  defaults: Readonly<Record<Name, number>>,
  flags: readonly Flag[] = [],
): Readonly<Record<Name, number> & Record<Flag, boolean>> {
  const names = Object.keys(defaults) as Name[];
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const name of names) options[name] = { type: 'string', default: String(defaults[name]) };
  for (const flag of flags) options[flag] = { type: 'boolean', default: false };
  const values: Readonly<Record<string, unknown>> = parseArgs({ options }).values;
  const numbers = Object.fromEntries(names.map((name) => [name, Number(values[name])])) as Record<Name, number>;
  const wrong = names.find((name) => !(numbers[name] >= 1));
  if (wrong !== undefined) throw new Error(`--${wrong} must be a number from 1, and is ${String(values[wrong])}`);
  const said = Object.fromEntries(flags.map((flag) => [flag, values[flag] === true])) as Record<Flag, boolean>;
  return { ...numbers, ...said };
}
