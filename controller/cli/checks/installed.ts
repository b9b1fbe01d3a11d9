/**
 * What has to be installed: the CRDs with the fields and versions this plugin knows, and the admission policies that guard them.
 */
import { GUARDS, type Guard } from '../../../crds/generated/guards.ts';
import { fitOf, NEEDED_SCHEMAS, renderRevision, SCHEMA_ANNOTATION } from '../../../crds/schema-revision.ts';
import type { ApiAnswer } from '../../src/kubernetes/transport.ts';
import { explainRefusal } from '../refusal.ts';
import type { Session } from '../session.ts';
import type { Finding } from './finding.ts';
import { guardDigest, type GuardSpec } from './guard-digest.ts';
import { servesMutating } from './tried.ts';

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const POLICIES = '/apis/admissionregistration.k8s.io/v1';
const VERSION = 'v1alpha1';

interface Crd {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly selectableFields?: readonly { readonly jsonPath: string }[];
    }[];
  };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly storedVersions?: readonly string[];
  };
}

/** What `list` and `incidents` select by. */
const SELECTABLE: Readonly<Record<string, readonly string[]>> = {
  ordertransactions: ['.spec.flow', '.spec.orderId', '.status.phase', '.status.waitingFor', '.status.expires'],
  transactionflows: [],
};

export async function checkCrds(session: Session): Promise<readonly Finding[]> {
  return Promise.all(
    Object.entries(SELECTABLE).map(async ([plural, selectable]): Promise<Finding> => {
      const path = `${CRDS}/${plural}.ordertx.dev`;
      const what = `CRD ${plural}`;
      const answer = await session.api.ask<Crd>({ method: 'GET', path });
      if (answer.kind !== 'ok') return notRead(what, path, answer);
      const { metadata, spec, status } = answer.body;
      const established = status?.conditions?.find(({ type }) => type === 'Established');
      if (established?.status !== 'True') return { what, state: 'wrong', sentence: 'it is not established yet' };
      const served = spec.versions.find(({ name, served: isServed }) => name === VERSION && isServed);
      if (served === undefined) {
        return {
          what,
          state: 'wrong',
          sentence: `${VERSION} is not served: this plugin is older or newer than what is installed`,
        };
      }
      const known = new Set(served.selectableFields?.map(({ jsonPath }) => jsonPath));
      const missing = selectable.filter((field) => !known.has(field));
      if (missing.length > 0) {
        return {
          what,
          state: 'wrong',
          sentence: `it is older than this plugin: ${missing.join(', ')} cannot be selected by`,
        };
      }
      const aged = checkRevision(what, `${plural}.ordertx.dev`, metadata.annotations?.[SCHEMA_ANNOTATION]);
      if (aged !== undefined) return aged;
      const stored = status?.storedVersions ?? [];
      return stored.length > 1
        ? {
            what,
            state: 'warning',
            sentence: `objects may be stored as ${stored.join(' and ')}: see kubectl ordertx migrate`,
          }
        : { what, state: 'ok', sentence: `serves and stores ${stored.join(', ')}` };
    }),
  );
}

/** The plugin itself can work with it; controllers of its version would not begin. */
function checkRevision(what: string, crd: string, mark: string | undefined): Finding | undefined {
  const needed = NEEDED_SCHEMAS.get(crd);
  if (needed === undefined) return undefined;
  const fit = fitOf(mark, needed);
  const has = mark === undefined ? 'it has no schema revision' : `its schema is revision ${mark}`;
  switch (fit) {
    case 'same':
    case 'newer':
      return undefined;
    case 'older':
    case 'unmarked':
    case 'other':
      return {
        what,
        state: 'warning',
        sentence: `${has}, and this plugin came with ${renderRevision(needed)}: controllers of its version do not begin work before its crds/ are applied`,
      };
  }
}

interface Policy {
  readonly spec: GuardSpec;
  readonly status?: {
    readonly typeChecking?: { readonly expressionWarnings?: readonly { readonly warning: string }[] };
  };
}

interface Binding {
  readonly spec: {
    readonly policyName: string;
    readonly validationActions?: readonly string[];
    readonly matchResources?: {
      readonly namespaceSelector?: object;
      readonly objectSelector?: object;
      readonly resourceRules?: readonly object[];
      readonly excludeResourceRules?: readonly object[];
    };
  };
}

/** A policy without its binding does nothing. Whether it is in force yet the API server says of none: tried.ts asks. */
export async function checkGuards(session: Session): Promise<readonly Finding[]> {
  const mutates = await servesMutating(session);
  return Promise.all(GUARDS.map((guard) => checkGuard(session, guard, mutates)));
}

async function checkGuard(session: Session, guard: Guard, mutates: boolean | undefined): Promise<Finding> {
  const { name, kind, isOptional } = guard;
  const what = `guard ${name}`;
  if (kind === 'mutating' && mutates === undefined)
    return { what, state: 'unknown', sentence: 'the API server does not say whether it serves its kind' };
  if (kind === 'mutating' && mutates === false) {
    return { what, state: 'ok', sentence: 'not needed: the API server does not serve its kind (1.36 and later do)' };
  }
  const path = `${POLICIES}/${kind}admissionpolicies/${name}`;
  const bindingPath = `${POLICIES}/${kind}admissionpolicybindings/${name}`;
  const [policy, binding] = await Promise.all([
    session.api.ask<Policy>({ method: 'GET', path }),
    session.api.ask<Binding>({ method: 'GET', path: bindingPath }),
  ]);
  if (policy.kind !== 'ok') return softened(notRead(what, path, policy), isOptional);
  if (binding.kind !== 'ok') return softened(notRead(`${what} binding`, bindingPath, binding), isOptional);
  return softened(judged(what, guard, policy.body, binding.body), isOptional);
}

function judged(what: string, { name, isOptional, digest }: Guard, policy: Policy, { spec }: Binding): Finding {
  const actions = spec.validationActions?.join(', ') ?? 'mutates';
  const [warning] = policy.status?.typeChecking?.expressionWarnings ?? [];
  const wrong = (sentence: string): Finding => ({ what, state: 'wrong', sentence });
  if (warning) return wrong(`its expressions do not fit the resources: ${warning.warning}`);
  if (spec.policyName !== name) return wrong(`its binding is one of the policy ${spec.policyName}`);
  if (!isOptional && spec.validationActions?.includes('Deny') !== true)
    return wrong(`it refuses nothing: its binding says ${actions}, not Deny`);
  if (isNarrowed(spec)) return wrong('its binding is for some namespaces or objects only');
  if (guardDigest(policy.spec) !== digest)
    return { what, state: 'warning', sentence: 'it is not the one this plugin came with: older, newer or changed' };
  return { what, state: 'ok', sentence: `installed (${actions})` };
}

/** The API server fills in empty selectors, which match everything. */
function isNarrowed({ matchResources = {} }: Binding['spec']): boolean {
  const { namespaceSelector = {}, objectSelector = {}, resourceRules = [], excludeResourceRules = [] } = matchResources;
  const parts = [Object.keys(namespaceSelector), Object.keys(objectSelector), resourceRules, excludeResourceRules];
  return parts.some((part) => part.length > 0);
}

function softened(finding: Finding, isOptional: boolean): Finding {
  return isOptional && finding.state === 'wrong' ? { ...finding, state: 'warning' } : finding;
}

function notRead(what: string, path: string, answer: ApiAnswer<unknown>): Finding {
  if (answer.kind === 'error' && answer.error.status === 404) {
    return { what, state: 'wrong', sentence: 'it is not installed' };
  }
  const sentence =
    answer.kind === 'error'
      ? explainRefusal({ method: 'GET', path }, answer.error)
      : answer.kind === 'unanswered'
        ? answer.message
        : '';
  return { what, state: 'unknown', sentence };
}
