/**
 * What the API server's errors mean to the person at the terminal: who may not do what, and what to ask whom for.
 */
import type { ApiAnswer, ApiError, ApiRequest } from '../src/kubernetes/transport.ts';
import { Trouble, usage } from './trouble.ts';

export interface Place {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

type Request = Pick<ApiRequest, 'method' | 'path' | 'query'>;

/** Of a request's path: `/apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE/NAME`. */
export function placeOf(path: string): Place {
  const [root, ...steps] = path
    .split('/')
    .filter((step) => step !== '')
    .map(decodeURIComponent);
  const group = root === 'apis' ? (steps.shift() ?? '') : '';
  steps.shift();
  const namespace = steps[0] === 'namespaces' && steps.length > 2 ? steps.splice(0, 2)[1] : undefined;
  const [resource = '', name, sub] = steps;
  return { group, resource: sub === undefined ? resource : `${resource}/${sub}`, namespace, name };
}

/** The verb that RBAC knows this request by. */
export function verbOf({ method, path, query }: Request): string {
  const { name } = placeOf(path);
  switch (method) {
    case 'GET':
      return query?.watch !== undefined ? 'watch' : name === undefined ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
  }
}

/** RBAC's own refusals say so; what an admission policy refuses has a sentence of its own for people. */
export function isForMissingRights(error: ApiError): boolean {
  return error.status === 403 && / cannot \S+ (resource|path) /.test(error.message);
}

export function explainRefusal(request: Request, error: ApiError): string {
  if (error.status === 401) {
    return 'the API server does not know you: log in again, or choose another user (--user, --context)';
  }
  if (isForMissingRights(error)) return missingRight(request, error);
  if (error.status === 404 && placeOf(request.path).group === 'ordertx.dev' && error.objectName === undefined) {
    return 'the API server does not serve ordertx.dev: the CustomResourceDefinitions are not installed there';
  }
  return guardSentence(error.message);
}

function missingRight(request: Request, { message, askedAs }: ApiError): string {
  const { group, resource, namespace } = placeOf(request.path);
  const user = /User "([^"]*)"/.exec(message)?.[1] ?? 'you';
  if (resource === 'users' || resource === 'groups' || message.includes(' cannot impersonate ')) {
    return `${user} may not act as somebody else: ask a cluster administrator for the verb impersonate, or leave --as out`;
  }
  const kind = group === '' ? resource : `${resource}.${group}`;
  const where = namespace === undefined ? 'in the whole cluster' : `in the namespace ${namespace}`;
  const role = namespace === undefined ? 'a ClusterRole (or name a namespace with -n)' : 'a Role';
  // Some of what is asked takes several requests: the API server says which of them was refused.
  const verb = / cannot (\S+) resource /.exec(message)?.[1] ?? verbOf(request);
  return (
    `${user} may not ${verb} ${kind} ${where}. Ask whoever administers it for ${role} with the verb ${verb} on ${kind}; ` +
    `kubectl auth can-i ${verb} ${kind}${namespace === undefined ? ' -A' : ` -n ${namespace}`}${askedAs === undefined ? '' : ` --as ${askedAs}`} says whether you have it`
  );
}

/** Which of the selectors that people type the API server cannot read; undefined where it is about something else. */
function selectorFlag({ query }: Request, { status, message }: ApiError): string | undefined {
  if (status !== 400) return undefined;
  if (/field label|field selector|invalid selector/.test(message)) return '--field-selector';
  if (query?.labelSelector !== undefined) return '-l';
  return query?.fieldSelector === undefined ? undefined : '--field-selector';
}

/** What an admission policy says, without the API server's frame around it. */
export function guardSentence(message: string): string {
  return /denied request: ([\s\S]*)$/.exec(message)?.[1] ?? message;
}

/** The body of a 2xx answer; everything else ends the program with a sentence. */
export function bodyOf<T>(request: Request, answer: ApiAnswer<T>): T {
  switch (answer.kind) {
    case 'ok':
      return answer.body;
    case 'error': {
      const flag = selectorFlag(request, answer.error);
      if (flag !== undefined) throw usage(`${flag}: ${answer.error.message}`);
      throw new Trouble(explainRefusal(request, answer.error));
    }
    case 'unanswered':
      throw new Trouble(
        `${answer.message}: is it reachable from here? (${request.method} ${request.path}; --request-timeout gives it longer)`,
      );
  }
}
