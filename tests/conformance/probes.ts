/**
 * What has to be known before the checks: the branch's name, and which payloads a try accepts and refuses.
 *
 * Each is found out by asking. What stops every check (nothing listens, no token, the wrong name) is said here, once, with
 * the option that mends it.
 */
import { audienceOfUrl } from '../../services/protocol/src/index.ts';
import type { Settings } from './arguments.ts';
import type { Bench } from './bench.ts';
import { describe } from './expectations.ts';
import { EMPTY, freshened, orderIdOf, OVERSIZED, type PayloadSource } from './payload-texts.ts';
import type { Answer, Transport } from './transport.ts';

export interface BranchName {
  readonly name: string;
  /** Where it is from. */
  readonly from: string;
}

const NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

export async function findBranchName(settings: Settings, transport: Transport): Promise<BranchName> {
  if (settings.branch !== undefined) return { name: settings.branch, from: '--branch' };
  const { origin, hostname, pathname } = new URL(settings.url);
  const answer = await transport.send({ method: 'GET', url: `${origin}/openapi.json`, headers: {} });
  const documented =
    answer.kind === 'answered' && answer.status === 200 ? documentedName(answer.text, pathname) : undefined;
  if (documented !== undefined) return { name: documented, from: 'its /openapi.json' };
  const [label = ''] = hostname.split('.');
  if (NAME.test(label) && label !== 'localhost') return { name: label, from: 'the host name' };
  return { name: 'participant', from: 'a guess' };
}

interface HeaderParameter {
  readonly name?: unknown;
  readonly description?: unknown;
  readonly schema?: { readonly const?: unknown };
}

/** As a service describes the header of its own try: by a constant, or in one word. */
function documentedName(text: string, path: string): string | undefined {
  try {
    const document = JSON.parse(text) as {
      readonly paths?: Readonly<
        Record<string, { readonly post?: { readonly parameters?: readonly HeaderParameter[] } }>
      >;
    };
    const parameters = document.paths?.[`${path}/try`]?.post?.parameters ?? [];
    const header = parameters.find(({ name }) => String(name).toLowerCase() === 'ordertx-branch');
    const value = header?.schema?.const ?? header?.description;
    return typeof value === 'string' && NAME.test(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export interface Payloads {
  readonly accepted?: PayloadSource;
  readonly refused?: PayloadSource;
  /** Why there is no accepted, or no refused one. */
  readonly lack?: string;
  /** What else people should know about them. */
  readonly note?: string;
}

export type Probe =
  { readonly kind: 'payloads'; readonly payloads: Payloads } | { readonly kind: 'stopped'; readonly why: string };

export async function findPayloads(settings: Settings, bench: Bench): Promise<Probe> {
  const accepted = freshened(settings.payloadTitle, settings.payload);
  const answer = await tryOut(bench, accepted);
  const why = whyNothingWorks(answer, settings, bench);
  if (why !== undefined) return { kind: 'stopped', why };
  if (isRefusal(answer)) {
    const lack = `a try of ${settings.payloadTitle} is refused: give one that is accepted with --payload (${describe(answer)})`;
    return { kind: 'payloads', payloads: { refused: accepted, lack } };
  }
  const given =
    settings.refusedPayload === undefined ? undefined : freshened('--refused-payload', settings.refusedPayload.value);
  const refused = await findRefused(settings, bench, accepted, given);
  const note =
    given !== undefined && refused !== given ? '--refused-payload: a try of it is not refused (409)' : undefined;
  const lack =
    refused === undefined
      ? 'no payload that was tried out is refused (409): give one that is refused for business reasons with --refused-payload'
      : undefined;
  return { kind: 'payloads', payloads: { accepted, refused, note, lack } };
}

async function findRefused(
  settings: Settings,
  bench: Bench,
  accepted: PayloadSource,
  given: PayloadSource | undefined,
): Promise<PayloadSource | undefined> {
  for (const candidate of [...(given === undefined ? [] : [given]), OVERSIZED, EMPTY]) {
    if (isRefusal(await tryOut(bench, candidate))) return candidate;
  }
  return orderIdOf(settings.payload) === undefined ? undefined : placedBefore(bench, accepted);
}

/** One order id is one order: what another transaction has placed is refused. */
async function placedBefore(bench: Bench, accepted: PayloadSource): Promise<PayloadSource | undefined> {
  const payload = accepted.fresh(bench.freshOrderId());
  const first = bench.beginWith(payload);
  await bench.call(first, 'try');
  await bench.call(first, 'confirm');
  const again: PayloadSource = { title: 'the order id of another transaction', fresh: () => payload };
  return isRefusal(await tryOut(bench, again)) ? again : undefined;
}

async function tryOut(bench: Bench, source: PayloadSource): Promise<Answer> {
  const answer = await bench.call(bench.begin(source), 'try');
  await bench.leave();
  return answer;
}

/** Of a branch that was never called before nothing else can be a 409, whatever its headers and body say. */
function isRefusal(answer: Answer): boolean {
  return answer.kind === 'answered' && answer.status === 409;
}

/** Undefined where the checks can begin; what they then find may be as bad. */
function whyNothingWorks(answer: Answer, settings: Settings, bench: Bench): string | undefined {
  const { branch, namespace } = bench.settings;
  if (answer.kind === 'none') {
    return answer.why === 'unreachable'
      ? `nothing answers at ${settings.url} (${answer.detail}): start it, or mend --url`
      : undefined;
  }
  const came = describe(answer);
  switch (answer.status) {
    case 401:
      return settings.token === undefined
        ? `it wants a token: give one with --token, made for the audience ${audienceOfUrl(settings.url)} or ordertx/<service>.<namespace> (${came})`
        : `it does not accept the token of --token: look at its issuer, audience, subject and expiry (${came})`;
    case 403:
      return `it serves no transactions of namespace ${namespace}: give one that it serves with --namespace (${came})`;
    case 404:
    case 405:
      return `it does not serve POST ${settings.url}/try: give endpoint and path, as in the flow, with --url (${came})`;
    case 421:
      return `its branch is not named ${branch}: give the participant's name in the flow with --branch (${came})`;
    default:
      return undefined;
  }
}
