/**
 * Settings from the environment.
 *
 * A setting is declared once, with its name, what it does and how its text is read. At start every bad one is reported in one go, by
 * name and with what to do, because being told of them one restart at a time wears people out; and the configuration reference is
 * made from the same declarations.
 */
import type { ZodType } from 'zod';

export interface Setting<T> {
  /** Of the environment variable. */
  readonly name: string;
  /** What it does, for the configuration reference. */
  readonly description: string;
  /** As it would stand in the environment. Without one the setting is required, unless it is `optional`. */
  readonly default?: string;
  /** Undefined when it is not set. */
  readonly optional?: boolean;
  /** Its value is never printed. */
  readonly secret?: boolean;
  /** From the environment's text to the value. Messages continue the sentence "NAME ...": "must be a port, 1 to 65535". */
  readonly schema: ZodType<T, string>;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any value type; ValuesOf takes it back out of the schema.
export type Settings = Readonly<Record<string, Setting<any>>>;

export type ValuesOf<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends { readonly schema: ZodType<infer T, string> }
    ? S[K] extends { readonly optional: true }
      ? T | undefined
      : T
    : never;
};

export interface SettingProblem {
  /** Of the environment variable. */
  readonly name: string;
  /** Continues the sentence "NAME ...". */
  readonly message: string;
}

/** What is wrong between settings that are each right. Gets only those that could be read. */
export type Check<S extends Settings> = (values: Partial<ValuesOf<S>>) => readonly SettingProblem[];

export type Environment = Readonly<Record<string, string | undefined>>;
export type SettingsRead<V> =
  | { readonly kind: 'read'; readonly values: V }
  | { readonly kind: 'bad'; readonly problems: readonly SettingProblem[] };

/** Settings of which only a server that was asked could tell that they are bad. */
export class BadSettings extends Error {
  constructor(problems: readonly SettingProblem[]) {
    super(describeSettingProblems(problems));
    this.name = 'BadSettings';
  }
}

/** The exit code for settings that a person must change. */
export const EXIT_BAD_SETTINGS = 2;

export function readSettings<S extends Settings>(
  settings: S,
  environment: Environment,
  check?: Check<S>,
): SettingsRead<ValuesOf<S>> {
  const problems: SettingProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    // An empty variable counts as not set: that is how manifests and shells spell "none".
    const text = environment[setting.name] || setting.default;
    if (text === undefined) {
      if (setting.optional === true) values[key] = undefined;
      else problems.push({ name: setting.name, message: `is not set; it is needed: ${setting.description}` });
      continue;
    }
    const result = setting.schema.safeParse(text);
    if (result.success) values[key] = result.data;
    else
      problems.push({
        name: setting.name,
        message: complaint(
          setting,
          text,
          result.error.issues.map(({ message }) => message),
        ),
      });
  }
  // Every value came out of the schema that its type is taken from.
  problems.push(...(check?.(values as Partial<ValuesOf<S>>) ?? []));
  return problems.length === 0 ? { kind: 'read', values: values as ValuesOf<S> } : { kind: 'bad', problems };
}

function complaint(setting: Setting<unknown>, text: string, messages: readonly string[]): string {
  const shown = setting.secret === true ? '' : ` (it is ${JSON.stringify(text)})`;
  return `${messages.join(', and ')}${shown}`;
}

/** Prints every bad setting to stderr and ends the process with code 2. */
export function readSettingsOrExit<S extends Settings>(
  settings: S,
  environment: Environment,
  check?: Check<S>,
): ValuesOf<S> {
  const result = readSettings(settings, environment, check);
  if (result.kind === 'read') return result.values;
  process.stderr.write(`${describeSettingProblems(result.problems)}\n`);
  process.exit(EXIT_BAD_SETTINGS);
}

export function describeSettingProblems(problems: readonly SettingProblem[]): string {
  const count = problems.length === 1 ? 'One setting is' : `${problems.length} settings are`;
  return [`${count} not usable:`, ...problems.map(({ name, message }) => `  ${name} ${message}`)].join('\n');
}
