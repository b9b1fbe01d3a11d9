/**
 * What controllers say at their own port, for what the stored object cannot tell.
 *
 * They are reached at the URLs that were given, or through the API server's proxy at a Service. One that cannot be reached is said to
 * be so and keeps nobody from the rest.
 */
import type { ApiAnswer } from '../src/kubernetes/transport.ts';
import type { Look } from '../src/reconcile/look.ts';
import type { Api } from './api.ts';
import { usage } from './trouble.ts';

/** `absent` and so on are the controller's own words for what it knows. */
export type Looked = Look & { readonly replica: string; readonly version: string };

export type Heard<T> =
  | { readonly kind: 'heard'; readonly where: string; readonly body: T }
  | { readonly kind: 'unreachable'; readonly where: string; readonly message: string };

interface Port {
  readonly where: string;
  get(path: string, isText?: boolean): Promise<Heard<unknown>>;
}

const ANSWER_MS = 3_000;
const PORT_DEFAULT = 8080;
/** A Service sends each request to any of its replicas; so many are asked before the one that works on it counts as not found. */
const REPLICAS_ASKED_MAX = 6;

export class ControllerPorts {
  readonly #ports: readonly Port[];

  /** @param text URLs, or NAMESPACE/SERVICE[:PORT], separated by commas; undefined: nobody said where they are */
  constructor(text: string | undefined, api: Api) {
    const places = (text ?? '').split(',').map((place) => place.trim());
    this.#ports = places.filter((place) => place !== '').map((place) => portOf(place, api));
  }

  get areNamed(): boolean {
    return this.#ports.length > 0;
  }

  async versions(): Promise<readonly Heard<{ readonly version?: string; readonly replica?: string }>[]> {
    return Promise.all(this.#ports.map((port) => port.get('/version'))) as Promise<
      readonly Heard<{ readonly version?: string; readonly replica?: string }>[]
    >;
  }

  async readiness(): Promise<readonly Heard<unknown>[]> {
    return Promise.all(this.#ports.map((port) => port.get('/readyz', true)));
  }

  async metrics(): Promise<readonly Heard<string>[]> {
    return Promise.all(this.#ports.map((port) => port.get('/metrics', true))) as Promise<readonly Heard<string>[]>;
  }

  /** The answer of the replica that works on it, where there is one; else whatever was heard. */
  async look(namespace: string, name: string): Promise<readonly Heard<Looked>[]> {
    const path = `/transactions/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
    const heard = await Promise.all(
      this.#ports.map(async (port) => {
        for (let asked = 1; ; asked += 1) {
          const answer = (await port.get(path)) as Heard<Looked>;
          const isOther = answer.kind === 'heard' && answer.body.kind === 'not-ours' && !port.where.startsWith('http');
          if (!isOther || asked === REPLICAS_ASKED_MAX) return answer;
        }
      }),
    );
    const working = heard.filter((each) => each.kind === 'heard' && each.body.kind === 'worked-on');
    return working.length > 0 ? working : heard;
  }
}

function portOf(place: string, api: Api): Port {
  if (/^https?:\/\/./.test(place)) {
    // Not repeated, here and in every sentence that names the place: it would be read by others, and nothing is sent with it anyway.
    if (URL.canParse(place) && `${new URL(place).username}${new URL(place).password}` !== '') {
      throw usage('--controller: a URL with a user or a password in it is not taken: the port asks for neither');
    }
    return urlPort(place.replace(/\/+$/, ''));
  }
  const [, namespace, service, port = String(PORT_DEFAULT)] = /^([^/:]+)\/([^/:]+)(?::(\w+))?$/.exec(place) ?? [];
  if (namespace === undefined || service === undefined) {
    throw usage(`--controller: "${place}" is neither a URL nor NAMESPACE/SERVICE[:PORT]`);
  }
  const root = `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(service)}:${port}/proxy`;
  return {
    where: place,
    async get(path, isText = false) {
      return heardOf(
        place,
        await api.ask<unknown>({ method: 'GET', path: `${root}${path}`, once: true, isText, timeoutMs: ANSWER_MS }),
      );
    },
  };
}

function heardOf(where: string, answer: ApiAnswer<unknown>): Heard<unknown> {
  switch (answer.kind) {
    case 'ok':
      return { kind: 'heard', where, body: answer.body };
    case 'error':
      return {
        kind: 'unreachable',
        where,
        message: `through the API server: ${answer.error.message || answer.error.status}`,
      };
    case 'unanswered':
      return { kind: 'unreachable', where, message: answer.message };
  }
}

function urlPort(url: string): Port {
  return {
    where: url,
    async get(path) {
      try {
        const answer = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(ANSWER_MS), redirect: 'error' });
        const text = await answer.text();
        const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true;
        if (!answer.ok)
          return {
            kind: 'unreachable',
            where: url,
            message: `it answers ${answer.status}: ${text.slice(0, 200).trim()}`,
          };
        return { kind: 'heard', where: url, body: isJson ? (JSON.parse(text) as unknown) : text };
      } catch (error) {
        return { kind: 'unreachable', where: url, message: causeOf(error) };
      }
    },
  };
}

/** fetch says only that it failed; why is behind that. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${ANSWER_MS / 1_000} s`;
  const { cause } = error;
  if (cause instanceof Error) return (cause as { code?: string }).code ?? cause.message;
  return error.message;
}
