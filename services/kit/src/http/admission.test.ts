/** Two ports, and how many requests each kind of route lets in; no database is needed for it. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Pool } from 'pg';
import { memoryLog } from '../../testing/memory-log.ts';
import { until } from '../../testing/until.ts';
import { createPool } from '../postgres/pool.ts';
import type { AdmissionLimits } from './admission.ts';
import { createApp } from './app.ts';
import { listen, type ListenOptions, type RunningServer } from './listen.ts';
import { route } from './route.ts';

const { log } = memoryLog();
const ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

interface Served extends RunningServer {
  /** Lets every handler that waits answer. */
  readonly release: () => void;
  readonly begun: () => number;
}

async function serve(limits: AdmissionLimits, ports: Partial<ListenOptions> = {}): Promise<Served> {
  const pool: Pool = createPool({
    connectionString: 'postgres://nobody@127.0.0.1:1/none',
    applicationName: 'test',
    log,
  });
  const app = createApp({ name: 'shop', version: '1', log, pool, limits });
  const waiting: (() => void)[] = [];
  let begun = 0;
  const slow = async () => {
    begun += 1;
    await new Promise<void>((resolve) => void waiting.push(resolve));
    return { status: 204 };
  };
  app.add(
    route({ method: 'get', path: '/goods', summary: 'Public', responses: {}, handle: () => ({ status: 204 }) }),
    route({ method: 'get', path: '/slow', summary: 'Public, slow', responses: {}, handle: slow }),
    route({
      method: 'put',
      path: '/goods',
      summary: 'Admin',
      admin: true,
      responses: {},
      handle: () => ({ status: 204 }),
    }),
  );
  const server = await listen(app, { port: 0, host: '127.0.0.1', graceMs: 100, ...ports });
  const release = (): void => waiting.splice(0).forEach((resolve) => resolve());
  ended.push(async () => {
    release();
    await server.close();
    await pool.end();
  });
  return { ...server, release, begun: () => begun };
}

const status = async (url: string, method = 'GET'): Promise<number> => (await fetch(url, { method })).status;
const UNLIMITED = { requestsMax: Infinity };

describe('a second port for operators and the controller', () => {
  test('serves their routes, and the first one does not know them any more', async () => {
    const { url, adminUrl } = await serve(UNLIMITED, { adminPort: 0 });
    expect(adminUrl).not.toBe(url);
    expect(await status(`${url}/goods`)).toBe(204);
    expect(await status(`${adminUrl}/goods`, 'PUT')).toBe(204);
    const refused = await fetch(`${url}/goods`, { method: 'PUT' });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET']);
    expect(await status(`${url}/metrics`)).toBe(404);
    expect(await status(`${adminUrl}/metrics`)).toBe(200);
    expect(await status(`${adminUrl}/slow`)).toBe(404);
  });

  test('both say whether the process is well, and each documents what it serves', async () => {
    const { url, adminUrl } = await serve(UNLIMITED, { adminPort: 0 });
    for (const base of [url, adminUrl]) expect(await status(`${base}/healthz`)).toBe(200);
    const methods = async (base: string): Promise<string[]> => {
      const { paths } = (await (await fetch(`${base}/openapi.json`)).json()) as { paths: Record<string, object> };
      return Object.entries(paths).flatMap(([path, operations]) =>
        Object.keys(operations).map((method) => `${method} ${path}`),
      );
    };
    expect(await methods(url)).toEqual(['get /goods', 'get /slow']);
    expect(await methods(adminUrl)).toEqual(['put /goods']);
  });

  test('is the first one where none is set', async () => {
    const { url, adminUrl } = await serve(UNLIMITED);
    expect(adminUrl).toBe(url);
    expect(await status(`${url}/goods`, 'PUT')).toBe(204);
    expect(await status(`${url}/metrics`)).toBe(200);
  });
});

describe('a port for figures', () => {
  test('has them, and whether the process is well, and none of the routes', async () => {
    const { url, adminUrl, metricsUrl } = await serve(UNLIMITED, { adminPort: 0, metricsPort: 0 });
    expect(new Set([url, adminUrl, metricsUrl]).size).toBe(3);
    expect(await status(`${metricsUrl}/metrics`)).toBe(200);
    expect(await status(`${metricsUrl}/healthz`)).toBe(200);
    expect(await status(`${metricsUrl}/goods`)).toBe(404);
    expect(await status(`${metricsUrl}/goods`, 'PUT')).toBe(404);
    expect(await status(`${metricsUrl}/metrics`, 'POST')).toBe(405);
    expect(await (await fetch(`${metricsUrl}/openapi.json`)).json()).toMatchObject({ paths: {} });
    expect(await status(`${adminUrl}/metrics`)).toBe(200);
    expect(await status(`${url}/metrics`)).toBe(404);
  });

  test('has no routes where operators have no port of their own either', async () => {
    const { url, metricsUrl } = await serve(UNLIMITED, { metricsPort: 0 });
    expect([await status(`${metricsUrl}/goods`, 'PUT'), await status(`${url}/goods`, 'PUT')]).toEqual([404, 204]);
  });

  test('is that of operators where none is set', async () => {
    const { adminUrl, metricsUrl } = await serve(UNLIMITED, { adminPort: 0 });
    expect(metricsUrl).toBe(adminUrl);
  });
});

describe('too many requests', () => {
  test('in flight are turned away at once with 503 and Retry-After; health and admin routes are not', async () => {
    const { url, release, begun } = await serve({ requestsMax: 2 });
    const held = [fetch(`${url}/slow`), fetch(`${url}/slow`)];
    await until('both are in flight', () => begun() === 2);
    const shed = await fetch(`${url}/goods`);
    expect([shed.status, shed.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await shed.json()).toMatchObject({ code: 'overloaded' });
    expect(await status(`${url}/goods`, 'PUT')).toBe(204);
    expect(await status(`${url}/healthz`)).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/http_requests_shed_total\{.*in-flight.*\} 1/);
    release();
    for (const answer of await Promise.all(held)) expect(answer.status).toBe(204);
    expect(await status(`${url}/goods`)).toBe(204);
  });

  test('in a second are turned away, too', async () => {
    const { url } = await serve({ requestsMax: 100, perSecondMax: 5 });
    const statuses = await Promise.all(Array.from({ length: 40 }, () => status(`${url}/goods`)));
    expect(statuses.filter((code) => code === 204).length).toBeGreaterThanOrEqual(5);
    expect(statuses).toContain(503);
    expect(await status(`${url}/goods`, 'PUT')).toBe(204);
  });

  test('of connections: more than there may be are not let in', async () => {
    const { port, url } = await serve(UNLIMITED, { connectionsMax: 1 });
    const first = connect(port, '127.0.0.1');
    await once(first, 'connect');
    await expect(fetch(`${url}/goods`)).rejects.toThrow();
    first.destroy();
    await once(first, 'close');
    await until('there is room again', async () => (await status(`${url}/goods`).catch(() => 0)) === 204);
  });
});
