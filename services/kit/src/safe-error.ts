/**
 * What a log may say of an error.
 *
 * Clients hang what they were doing on their errors: ioredis the command with its arguments (a login's password, a message's data),
 * pg the row that broke a constraint, `new URL` what it could not read. So properties are not copied but chosen: those below say what
 * went wrong and where, never with what.
 */

/** Of Node's and undici's errors, then of Postgres's (docs: Error and Notice Message Fields); not `detail`, `where`, `hint`: they quote values. */
const SAFE_PROPERTIES = [
  ...['code', 'errno', 'syscall', 'address', 'port', 'status', 'statusCode'],
  ...['severity', 'schema', 'table', 'column', 'dataType', 'constraint', 'routine'],
] as const;

/** Causes of causes, and fields within fields; deeper than this nobody reads. */
const DEPTH_MAX = 6;
const ERRORS_MAX = 10;

/** The same value with every error in it described; what holds none is handed back as it is. */
export function describeErrors(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isError(value)) return depth > DEPTH_MAX ? value.message : describe(value, depth);
  if (depth > DEPTH_MAX) return '…';
  if (Array.isArray(value)) return value.map((each: unknown) => describeErrors(each, depth + 1));
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, describeErrors(each, depth + 1)]));
}

/** Written as `{...}`, also in another realm. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return typeof prototype !== 'object' || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function describe(error: Error, depth: number): Readonly<Record<string, unknown>> {
  const own = error as Error & Readonly<Record<string, unknown>>;
  const safe = SAFE_PROPERTIES.flatMap((name): readonly [string, unknown][] => {
    const value = own[name];
    return typeof value === 'string' || typeof value === 'number' ? [[name, value]] : [];
  });
  const errors = Array.isArray(own.errors) ? own.errors.slice(0, ERRORS_MAX) : [];
  return {
    type: error.constructor?.name || error.name,
    message: error.message,
    stack: error.stack,
    ...Object.fromEntries(safe),
    ...(error.cause === undefined ? {} : { cause: causeOf(error.cause, depth) }),
    ...(errors.length === 0 ? {} : { errors: errors.map((each: unknown) => causeOf(each, depth)) }),
  };
}

/** A cause that is no error may be anything, also what was being sent. */
function causeOf(cause: unknown, depth: number): unknown {
  return typeof cause === 'object' && cause !== null && isError(cause)
    ? describeErrors(cause, depth + 1)
    : typeof cause;
}

/** Also one of another realm, as tests have, and a DOMException, as an aborted request ends with. */
function isError(value: object): value is Error {
  if (value instanceof Error) return true;
  const { message, stack } = value as Partial<Error>;
  return typeof message === 'string' && typeof stack === 'string';
}

/** `user:password@` of a URL. In a line of JSON as well as in plain text, so a backslash belongs to what follows it. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s"/\\]|\\[^n])*@/gi;
/** Redis quotes what it did not understand: a login, where it knows no AUTH. */
const QUOTED_ARGUMENTS = /(with args beginning with:)(?:[^"\\\n]|\\[^n])*/g;

/** @param text a sentence, or a line of JSON */
export function withoutSecrets(text: string): string {
  return text.replaceAll(URL_CREDENTIALS, '$1***@').replaceAll(QUOTED_ARGUMENTS, '$1 ***');
}
