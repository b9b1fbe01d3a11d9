/**
 * The few requests that setting up a cluster makes of its API server. The controller has its own, fuller client.
 */
import { Agent, request } from 'undici';

export type ApiAnswer = { readonly status: number; readonly body: unknown };

export type ApiServer = {
  /** Never throws because of a status; throws if no answer came within REQUEST_MS. */
  readonly request: (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
  ) => Promise<ApiAnswer>;
  readonly close: () => Promise<void>;
};

const REQUEST_MS = 10_000;

export function connect(to: { readonly url: string; readonly token: string; readonly certificate: string }): ApiServer {
  const agent = new Agent({ connect: { ca: to.certificate } });
  return {
    request: async (method, path, body) => {
      const answer = await request(`${to.url}${path}`, {
        ...{ method, dispatcher: agent, signal: AbortSignal.timeout(REQUEST_MS) },
        headers: {
          authorization: `Bearer ${to.token}`,
          accept: 'application/json',
          'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.body.text();
      return { status: answer.statusCode, body: parsed(text) };
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
