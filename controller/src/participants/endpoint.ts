/**
 * Where a participant is called, with which audience, and whether it may be called at all.
 *
 * The policy stands here and not in the CRD's schema, because it protects the controller's token and network position
 * against whoever may write flows: nothing in a flow is trusted to be a host name, a path or even a URL.
 */
import type { Participant } from '../../../crds/generated/transactionflow.ts';
import { audienceOfService, audienceOfUrl } from '../../../services/protocol/src/audience.ts';
import { NOT_CALLED } from '../transaction/outcome.ts';
import { isDnsLabel, type AllowList } from './allow-list.ts';

export type ResolvedEndpoint =
  | {
      readonly kind: 'allowed';
      /** `http://host:port`, the key of limits and connections. */
      readonly origin: string;
      /** What stands before `/try`, `/confirm`, `/cancel`. */
      readonly path: string;
      readonly audience: string;
    }
  /** A sentence that stays the same until somebody changes the flow or the allow list. */
  | { readonly kind: 'forbidden'; readonly detail: string };

/** @param namespace the transaction's, which is the flow's too */
export function resolveEndpoint(participant: Participant, namespace: string, allowed: AllowList): ResolvedEndpoint {
  if (!isPlainPath(participant.path)) {
    return forbidden(
      'its path in the flow is not plain: no query, fragment, percent-encoding, "//", "." or ".." segment',
    );
  }
  const path = withoutTrailingSlash(participant.path);
  const { url, service } = participant.endpoint;
  if (service !== undefined && url === undefined) return resolveService(service, path, namespace, allowed);
  if (url !== undefined && service === undefined) return resolveUrl(url, path, allowed);
  return forbidden('its endpoint in the flow must be exactly one of service and url');
}

function resolveService(
  service: NonNullable<Participant['endpoint']['service']>,
  path: string,
  transactionNamespace: string,
  allowed: AllowList,
): ResolvedEndpoint {
  const namespace = service.namespace ?? transactionNamespace;
  // Anything but a label could end the host name early (`evil.example/`) and take the token elsewhere.
  if (!isDnsLabel(service.name) || !isDnsLabel(namespace)) {
    return forbidden("its endpoint's service name and namespace must be DNS labels");
  }
  const name = `${service.name}.${namespace}`;
  if (namespace !== transactionNamespace && !allowed.services.has(name)) {
    return forbidden(`its service ${name} is in another namespace: ${addToList(name)}`);
  }
  const audience = audienceOfService(service.name, namespace);
  return { kind: 'allowed', origin: `http://${name}.svc:${service.port}`, path, audience };
}

function resolveUrl(text: string, path: string, allowed: AllowList): ResolvedEndpoint {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return forbidden("its endpoint's url is not an http or https URL");
  }
  if (url.username || url.password || url.search || url.hash) {
    return forbidden("its endpoint's url must have no user, query or fragment");
  }
  if (!allowed.origins.has(url.origin)) {
    return forbidden(`its endpoint ${url.origin} is given by url: ${addToList(url.origin)}`);
  }
  return {
    kind: 'allowed',
    origin: url.origin,
    path: withoutTrailingSlash(url.pathname) + path,
    audience: audienceOfUrl(url.origin),
  };
}

function withoutTrailingSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Sent as it is written: nothing on the way may read it as another path, a query or a second request. */
function isPlainPath(path: string): boolean {
  return /^(?=\/)(\/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*\/?$/.test(path) && !/\/\.\.?(\/|$)/.test(path);
}

function addToList(entry: string): string {
  return `if that is meant, add ${entry} to the controller's --allow-endpoints`;
}

function forbidden(detail: string): ResolvedEndpoint {
  return { kind: 'forbidden', detail: `${NOT_CALLED}${detail}` };
}
