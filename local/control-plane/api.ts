/**
 * The few requests that setting up a cluster makes of its API server. The controller has its own, fuller client.
 */
import { Agent, request } from 'undici';

export type ApiAnswer = {
  readonly status: number;
  readonly body: unknown;
  /** The texts of its Warning headers. */
  readonly warnings: readonly string[];
};

export type ApiAccess = {
  readonly url: string;
  readonly token: string;
  readonly certificate: string;
  /** Another user's name, whom the token's owner may impersonate. */
  readonly as?: string;
};

export type ApiServer = {
  /** Never throws because of a status; throws if no answer came within REQUEST_MS. */
  readonly request: (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    /** Default: a merge patch for PATCH, JSON for the others. */
    contentType?: string,
  ) => Promise<ApiAnswer>;
  readonly close: () => Promise<void>;
};

const REQUEST_MS = 10_000;

export function connect(to: ApiAccess): ApiServer {
  const agent = new Agent({ connect: { ca: to.certificate } });
  return {
    request: async (method, path, body, contentType) => {
      const answer = await request(`${to.url}${path}`, {
        ...{ method, dispatcher: agent, signal: AbortSignal.timeout(REQUEST_MS) },
        headers: {
          authorization: `Bearer ${to.token}`,
          accept: 'application/json',
          ...(to.as !== undefined && { 'impersonate-user': to.as }),
          'content-type': contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.body.text();
      const warnings = [answer.headers.warning ?? []].flat().map((header) => header.replace(/^299 \S+ "(.*)"$/s, '$1'));
      return { status: answer.statusCode, body: parsed(text), warnings };
    },
    close: () => agent.destroy(),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
