/**
 * The command line: what is to be checked, and as whom.
 *
 * Every fault is a sentence that begins with the option's name, so that one run names them all.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseTransaction } from '../../services/protocol/src/index.ts';

export const USAGE = `usage: npm run conformance -- --url URL [options]

  --url URL               where the branch lives: endpoint and path, as in the flow; without a path /tcc/create-order
  --branch NAME           the participant's name in the flow; default: what its /openapi.json gives as Ordertx-Branch,
                          else the first label of the URL's host name, else "participant"
  --payload FILE          JSON that a try accepts; default: a create-order payload. Wherever its orderId stands, every
                          transaction gets a fresh one
  --refused-payload FILE  JSON that a try refuses for business reasons; default: several are tried in turn
  --token TOKEN           the bearer token of every call; with it tokens are checked too
  --namespace NS          of the transactions (default: default)
  --timeout SECONDS       in which an answer must be there (default: 3, like a flow's timeoutSeconds)

It creates real branches, confirms some of them and cancels the rest: run it against a participant made for testing.`;

export interface Settings {
  /** Without the operation, without a slash at the end. */
  readonly url: string;
  /** Undefined: to be found out. */
  readonly branch: string | undefined;
  readonly namespace: string;
  readonly payload: unknown;
  /** For people: where the payload is from. */
  readonly payloadTitle: string;
  readonly refusedPayload: { readonly value: unknown } | undefined;
  readonly token: string | undefined;
  readonly timeoutMs: number;
}

export type Arguments =
  | { readonly kind: 'settings'; readonly settings: Settings }
  | { readonly kind: 'help' }
  | { readonly kind: 'faulty'; readonly faults: readonly string[] };

const PATH_DEFAULT = '/tcc/create-order';
const TIMEOUT_SECONDS_DEFAULT = 3;
/** Longer than any flow would wait; a typing mistake in milliseconds would otherwise wait for hours. */
const TIMEOUT_SECONDS_MAX = 300;
const BRANCH = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Valid for every participant of flow create-order; its orderId is replaced in each transaction. */
const CREATE_ORDER = {
  orderId: 'o1',
  userId: 'conformance',
  lines: [{ skuId: 'conformance', quantity: 2, unitPriceCents: 50 }],
  totalCents: 100,
};

export function readArguments(argv: readonly string[]): Arguments {
  let values: Values;
  try {
    ({ values } = parseArgs({ args: [...argv], options: OPTIONS }));
  } catch (error) {
    return { kind: 'faulty', faults: [error instanceof Error ? error.message : String(error)] };
  }
  if (values.help === true) return { kind: 'help' };
  const faults: string[] = [];
  const settings = {
    url: readUrl(values.url, faults),
    branch: readBranch(values.branch, faults),
    namespace: readNamespace(values.namespace, faults),
    payload: readPayload('--payload', values.payload, faults)?.value ?? CREATE_ORDER,
    payloadTitle: values.payload ?? 'the default create-order payload',
    refusedPayload: readPayload('--refused-payload', values['refused-payload'], faults),
    token: readToken(values.token, faults),
    timeoutMs: readTimeout(values.timeout, faults),
  };
  return faults.length > 0 ? { kind: 'faulty', faults } : { kind: 'settings', settings };
}

const OPTIONS = {
  url: { type: 'string' },
  branch: { type: 'string' },
  payload: { type: 'string' },
  'refused-payload': { type: 'string' },
  token: { type: 'string' },
  namespace: { type: 'string', default: 'default' },
  timeout: { type: 'string', default: String(TIMEOUT_SECONDS_DEFAULT) },
  help: { type: 'boolean' },
} as const;
type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function readUrl(text: string | undefined, faults: string[]): string {
  if (text === undefined) {
    faults.push(
      '--url: is missing; give the endpoint and path of the branch, e.g. http://127.0.0.1:8080/tcc/create-order',
    );
    return '';
  }
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    faults.push(`--url: must be a whole http:// or https:// URL, not ${text}`);
    return '';
  }
  const { origin, pathname, username, password, search, hash } = new URL(text);
  if (username !== '' || password !== '' || search !== '' || hash !== '') {
    faults.push('--url: may have no user, query or fragment: a flow’s endpoint and path have none either');
  }
  const path = pathname.replace(/\/+$/, '');
  const [, operation] = /\/(try|confirm|cancel)$/.exec(path) ?? [];
  if (operation !== undefined) faults.push(`--url: must end before /${operation}; the operation is added to it`);
  return origin + (path === '' ? PATH_DEFAULT : path);
}

function readBranch(text: string | undefined, faults: string[]): string | undefined {
  if (text !== undefined && !BRANCH.test(text)) {
    faults.push('--branch: must be a participant’s name: lower-case letters, digits and hyphens, at most 63');
  }
  return text;
}

function readNamespace(text: string, faults: string[]): string {
  if (parseTransaction(`${text}/a`) === undefined)
    faults.push('--namespace: must be the name of a Kubernetes namespace');
  return text;
}

function readPayload(
  option: string,
  path: string | undefined,
  faults: string[],
): { readonly value: unknown } | undefined {
  if (path === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    // As spec.payload of every transaction is.
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { value };
    faults.push(`${option}: ${path} must hold a JSON object`);
  } catch (error) {
    faults.push(`${option}: ${path} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return undefined;
}

function readToken(text: string | undefined, faults: string[]): string | undefined {
  if (text !== undefined && !/^[\x21-\x7e]+$/.test(text)) {
    faults.push('--token: must be the token alone, without "Bearer" and white space');
  }
  return text;
}

function readTimeout(text: string, faults: string[]): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= TIMEOUT_SECONDS_MAX)) {
    faults.push(`--timeout: must be a number of seconds above 0 and up to ${TIMEOUT_SECONDS_MAX}, not ${text}`);
  }
  return seconds * 1_000;
}
