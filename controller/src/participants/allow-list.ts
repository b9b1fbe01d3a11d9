/**
 * The endpoints outside a transaction's own namespace that the controller may call.
 *
 * Whoever may create a flow and a transaction makes the controller call with its token; the list is how the one who
 * runs the controller says where such calls may go (docs/reference/participant-protocol.md, "Who may make whom act").
 * An entry is a URL's origin, `http://payments.example:8443`, or a service in any namespace, `inventory.warehouse`.
 */

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export function isDnsLabel(text: string): boolean {
  return DNS_LABEL.test(text);
}

export interface AllowList {
  /** As `URL.origin` writes them: lower-case, without a default port. */
  readonly origins: ReadonlySet<string>;
  /** `<service>.<namespace>`. */
  readonly services: ReadonlySet<string>;
}

export type AllowListResult =
  | { readonly kind: 'parsed'; readonly allowed: AllowList }
  /** One sentence for each bad entry: what it is, what is wrong, what to write instead. */
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

/** Reads the list as `--allow-endpoints` and ORDERTX_ALLOW_ENDPOINTS give it; blank entries are skipped. */
export function parseAllowList(entries: readonly string[]): AllowListResult {
  const origins = new Set<string>();
  const services = new Set<string>();
  const problems: string[] = [];
  for (const entry of entries.map((each) => each.trim()).filter((each) => each !== '')) {
    if (entry.includes('://')) {
      const origin = originOf(entry);
      if (origin) origins.add(origin);
      else problems.push(problem(entry, 'a URL is listed as its origin alone, http(s)://host or http(s)://host:port'));
    } else if (isService(entry)) {
      services.add(entry);
    } else {
      problems.push(problem(entry, 'write a URL origin such as http://127.0.0.1:4001, or <service>.<namespace>'));
    }
  }
  return problems.length > 0 ? { kind: 'invalid', problems } : { kind: 'parsed', allowed: { origins, services } };
}

function problem(entry: string, remedy: string): string {
  return `--allow-endpoints (ORDERTX_ALLOW_ENDPOINTS): the entry "${entry}" is not valid: ${remedy}`;
}

/** A path, query, user or wildcard would promise a narrower or wider permission than an origin gives: refused. */
function originOf(entry: string): string | undefined {
  const url = URL.parse(entry);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  const isOriginAlone = url.href === `${url.origin}/` && !entry.includes('*') && !/[?#]/.test(entry);
  return isOriginAlone ? url.origin : undefined;
}

function isService(entry: string): boolean {
  const labels = entry.split('.');
  return labels.length === 2 && labels.every(isDnsLabel);
}
