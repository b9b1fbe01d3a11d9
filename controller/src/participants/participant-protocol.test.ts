/** docs/reference/participant-protocol.md says what the code does: its codes, headers, states, limits and answers. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { DETAIL_CHARS_MAX as WIRE_DETAIL_CHARS_MAX } from '../../../services/protocol/src/detail.ts';
import { HEADERS } from '../../../services/protocol/src/headers.ts';
import { DONE_STATES, FENCE_STATES, OPERATIONS, STORED_STATES } from '../../../services/protocol/src/operations.ts';
import { PROBLEM_CODES } from '../../../services/protocol/src/problems.ts';
import { CONNECT_TIMEOUT_MS, PAYLOAD_BYTES_MAX } from './caller.ts';
import { DETAIL_CHARS_MAX } from './classify.ts';
import { BODY_BYTES_MAX } from './exchange.ts';
import { branchCallTo, participantAt } from './loopback-participant.ts';
import { requestHeaders } from './request-headers.ts';

const page = readFileSync(new URL('../../../docs/reference/participant-protocol.md', import.meta.url), 'utf8');

/** The rows of the table whose head begins with the words given, as cells. */
function table(head: string): string[][] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${head} |`));
  const rows: string[][] = [];
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

function firstWords(rows: string[][]): string[] {
  return rows.map(([first]) => (first ?? '').replaceAll('`', ''));
}

test('the page lists every refusal code', () => {
  expect(firstWords(table('code')).sort()).toEqual([...PROBLEM_CODES].sort());
});

test('the page lists every header that a call carries', () => {
  const call = branchCallTo(participantAt('http://127.0.0.1:1'), {
    operation: 'cancel',
    reason: 'Refused',
    detail: 'why',
  });
  const sent = requestHeaders(call, 'traceparent', 'token').filter((_each, index) => index % 2 === 0);
  const incidental = ['accept', 'user-agent'];
  const listed = firstWords(table('header')).map((name) => name.toLowerCase());
  expect(listed.sort()).toEqual(sent.filter((name) => !incidental.includes(name)).sort());
  expect(Object.values(HEADERS).filter((name) => !page.toLowerCase().includes(name))).toEqual([]);
});

describe('the answer table', () => {
  const [done] = table('answer');

  test.each([...OPERATIONS])('names the states that end a %s', (operation) => {
    expect(done?.[0]).toContain(`${operation} ${DONE_STATES[operation].map((state) => `\`${state}\``).join(' or ')}`);
  });

  test('stands below a list of every state', () => {
    for (const state of FENCE_STATES) expect(page).toContain(`\`${state}\``);
  });
});

test('the fence table has a row for each stored state and none, and a cell for each operation', () => {
  const rows = table('stored state');
  expect(firstWords(rows)).toEqual(['none', ...STORED_STATES]);
  expect(rows.map((row) => row.filter((cell) => cell !== '').length)).toEqual(rows.map(() => 1 + OPERATIONS.length));
});

test('the limits are those of the code', () => {
  const limits = new Map(table('limit').map(([limit, value]) => [limit, value]));
  expect(limits.get('payload')).toContain(String(PAYLOAD_BYTES_MAX));
  expect(limits.get('body of an answer')).toContain(String(BODY_BYTES_MAX));
  expect(limits.get('connecting')).toBe(`${CONNECT_TIMEOUT_MS / 1000} s`);
  expect(limits.get('`detail` of an answer')).toContain(String(DETAIL_CHARS_MAX));
  expect(page).toContain(`at most ${WIRE_DETAIL_CHARS_MAX} characters after encoding`);
});
