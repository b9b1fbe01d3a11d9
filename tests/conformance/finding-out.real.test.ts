/**
 * What the tool finds out before it checks, and what it says where it cannot.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../local/ports.ts';
import {
  LOOPBACK_BRANCH,
  refused,
  RIGHT_PARTS,
  runLoopbackParticipant,
  runTry,
  turnedAway,
  type LoopbackParticipant,
  type Parts,
} from './loopback-participant.ts';
import { runTool } from './run-tool.ts';

let participant: LoopbackParticipant | undefined;
let folder: string | undefined;
afterEach(async () => {
  await participant?.close();
  if (folder !== undefined) await rm(folder, { recursive: true });
  participant = folder = undefined;
});

async function serve(parts: Partial<Parts> = {}): Promise<string> {
  participant = await runLoopbackParticipant({ ...RIGHT_PARTS, ...parts });
  return participant.url;
}

async function file(name: string, content: unknown): Promise<string> {
  folder ??= await mkdtemp(join(tmpdir(), 'payloads-'));
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(content));
  return path;
}

/** A try whose business is this; everything else is as it should be. */
function trying(business: (payload: Readonly<Record<string, unknown>>) => string | undefined): Partial<Parts> {
  return {
    step: (row, operation, payload, digest) => {
      if (row !== undefined || operation !== 'try') return RIGHT_PARTS.step(row, operation, payload, digest);
      const refusal = business(payload as Readonly<Record<string, unknown>>);
      if (refusal === undefined) return runTry({ totalCents: 1 }, digest);
      return {
        reply: refused('refused', 'Refused', refusal),
        store: { state: 'Refused', digest, answer: '', refusal },
      };
    },
  };
}

describe('a payload that is refused', () => {
  const placed = new Set<unknown>();
  test.each<[string, Partial<Parts>, string]>([
    [
      'is an oversized order',
      trying(({ totalCents }) => (Number(totalCents) > 1_000 ? 'too much' : undefined)),
      'a hugely oversized order of an unknown SKU',
    ],
    [
      'is one without fields',
      trying(({ orderId }) => (orderId === undefined ? 'no order' : undefined)),
      'a payload without any field',
    ],
    [
      'is an order that another transaction has placed',
      trying(({ orderId }) => (placed.has(orderId) ? 'placed before' : void placed.add(orderId))),
      'the order id of another transaction',
    ],
  ])('%s: it is found without any option', async (_what, parts, title) => {
    const run = await runTool('--url', await serve(parts), '--branch', LOOPBACK_BRANCH);
    expect(run.lines[1]).toBe(`accepted: the default create-order payload; refused: ${title}`);
    expect(run.named('WRONG')).toEqual([]);
    expect(run.code).toBe(0);
  });

  test('is taken from --refused-payload, with a fresh order id in each transaction', async () => {
    const seen: unknown[] = [];
    const parts = trying(({ orderId, colour }) => {
      if (colour !== 'red') return undefined;
      seen.push(orderId);
      return 'no red ones';
    });
    const path = await file('red.json', { orderId: 'o7', colour: 'red' });
    const run = await runTool('--url', await serve(parts), '--branch', LOOPBACK_BRANCH, '--refused-payload', path);
    expect(run.code).toBe(0);
    expect(run.lines[1]).toContain('refused: --refused-payload');
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).not.toContain('o7');
  });

  test('that was given and is accepted all the same is said, and another one is looked for', async () => {
    const path = await file('green.json', { orderId: 'o7', colour: 'green' });
    const parts = trying(({ orderId }) => (orderId === undefined ? 'no order' : undefined));
    const run = await runTool('--url', await serve(parts), '--branch', LOOPBACK_BRANCH, '--refused-payload', path);
    expect(run.lines).toContain('--refused-payload: a try of it is not refused (409)');
    expect(run.code).toBe(0);
  });

  test('that nobody can find leaves cells undriven: the report names them and the option', async () => {
    const run = await runTool('--url', await serve(trying(() => undefined)), '--branch', LOOPBACK_BRANCH);
    expect(run.code).toBe(1);
    expect(run.named('WRONG')).toEqual([]);
    for (const operation of ['try', 'confirm', 'cancel']) {
      expect(run.named('NOT DRIVEN')).toContainEqual(expect.stringContaining(`Refused × ${operation}`));
    }
    expect(run.text).toContain('give one that is refused for business reasons with --refused-payload');
  });
});

describe('a payload that is accepted', () => {
  test('is taken from --payload, with a fresh order id wherever its own stood', async () => {
    const seen: unknown[] = [];
    const parts = trying(({ orderId, parts: items, seats }) => {
      if (seats === undefined) return 'no seats';
      expect(items).toEqual([{ orderId, note: 'for o7' }]);
      seen.push(orderId);
      return undefined;
    });
    const path = await file('seats.json', { orderId: 'o7', parts: [{ orderId: 'o7', note: 'for o7' }], seats: 2 });
    const run = await runTool('--url', await serve(parts), '--branch', LOOPBACK_BRANCH, '--payload', path);
    expect(run.named('WRONG')).toEqual([]);
    expect(run.code).toBe(0);
    expect(new Set(seen).size).toBe(seen.length);
  });

  test('that is not accepted is said with the participant’s words, and what can be driven is', async () => {
    const run = await runTool('--url', await serve(trying(() => 'we are closed')), '--branch', LOOPBACK_BRANCH);
    expect(run.code).toBe(1);
    expect(run.named('WRONG')).toEqual([]);
    expect(run.text).toMatch(/--payload \(409.*we are closed/);
    expect(run.named('ok')).toContain('Refused × try: replays the refusal');
    expect(run.named('NOT DRIVEN')).toContain('Tried × confirm: runs, and stores Confirmed');
  });
});

describe('nothing is checked, and the option that mends it is named, where', () => {
  const stopped = async (parts: Partial<Parts>, ...options: readonly string[]) => {
    const run = await runTool('--url', await serve(parts), '--branch', LOOPBACK_BRANCH, ...options);
    expect(run.code).toBe(1);
    return run.lines.at(-1);
  };

  test('nothing listens', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const run = await runTool('--url', url);
    expect(run.code).toBe(1);
    expect(run.lines.at(-1)).toContain(`nothing answers at ${url}/tcc/create-order`);
  });

  test('the branch has another name', async () => {
    expect(await stopped({}, '--branch', 'somebody')).toContain(
      "is not named somebody: give the participant's name in the flow with --branch",
    );
  });

  test('the namespace is not served', async () => {
    expect(await stopped({}, '--namespace', 'elsewhere')).toContain('--namespace');
  });

  test('a token is wanted, or another one', async () => {
    const parts = { admit: () => turnedAway(401) };
    expect(await stopped(parts)).toMatch(/give one with --token, made for the audience ordertx\/127[.]0[.]0[.]1:\d+/);
    await participant?.close();
    expect(await stopped(parts, '--token', 'x')).toContain('does not accept the token of --token');
  });

  test('the path is another one', async () => {
    const run = await runTool('--url', new URL('/tcc/pay-order', await serve()).href, '--branch', LOOPBACK_BRANCH);
    expect(run.code).toBe(1);
    expect(run.lines.at(-1)).toContain('give endpoint and path, as in the flow, with --url');
  });
});

test('the branch’s name is read from the participant’s own /openapi.json', async () => {
  const parameters = [{ name: 'Ordertx-Branch', in: 'header', schema: { const: 'loyalty' } }];
  const document = { paths: { '/tcc/create-order/try': { post: { parameters } } } };
  const server = createServer((request, response) => {
    const isDocument = request.url === '/openapi.json';
    response.writeHead(isDocument ? 200 : 404).end(isDocument ? JSON.stringify(document) : undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect((await runTool('--url', url)).lines[0]).toContain('branch loyalty (its /openapi.json)');
  server.close();
  server.closeAllConnections();
});
