/**
 * The audience of the token that the controller shows to a participant.
 *
 * One audience per endpoint, so that a token shown to one service is worth nothing at another.
 */

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** `ordertx/<service>.<namespace>`. */
export function audienceOfService(service: string, namespace: string): string {
  return `ordertx/${service}.${namespace}`;
}

/** `ordertx/<host>:<port>`; the scheme's own port where the url names none. Throws TypeError for anything but an http(s) url. */
export function audienceOfUrl(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  const defaultPort = DEFAULT_PORTS[protocol];
  if (defaultPort === undefined) throw new TypeError('an endpoint url starts with http:// or https://');
  return `ordertx/${hostname}:${port === '' ? defaultPort : port}`;
}
