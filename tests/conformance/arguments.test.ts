/**
 * The command line: what is taken, and that each fault is said by the option's name.
 */
import { describe, expect, test } from '@jest/globals';
import { createOrderPayloadSchema } from '../../services/protocol/src/index.ts';
import { readArguments, type Settings } from './arguments.ts';
import { runTool } from './run-tool.ts';

const URL_GIVEN = ['--url', 'http://127.0.0.1:8080/tcc/pay-order'] as const;

function settings(...argv: readonly string[]): Settings {
  const read = readArguments(argv);
  if (read.kind !== 'settings') throw new Error(JSON.stringify(read));
  return read.settings;
}

function faults(...argv: readonly string[]): readonly string[] {
  const read = readArguments(argv);
  return read.kind === 'faulty' ? read.faults : [];
}

describe('the arguments', () => {
  test('are only a URL, and the rest has defaults', () => {
    expect(settings(...URL_GIVEN)).toEqual({
      url: 'http://127.0.0.1:8080/tcc/pay-order',
      branch: undefined,
      namespace: 'default',
      payload: expect.anything(),
      payloadTitle: 'the default create-order payload',
      refusedPayload: undefined,
      token: undefined,
      timeoutMs: 3_000,
    });
  });

  test('give the path of flow create-order to a URL without one', () => {
    for (const url of ['http://pay.example', 'http://pay.example/'])
      expect(settings('--url', url).url).toBe('http://pay.example/tcc/create-order');
    expect(settings('--url', 'https://pay.example/base/tcc/x/').url).toBe('https://pay.example/base/tcc/x');
  });

  test('have a payload that every participant of flow create-order can read', () => {
    expect(createOrderPayloadSchema.safeParse(settings(...URL_GIVEN).payload).success).toBe(true);
  });

  test.each([
    [[], '--url: is missing'],
    [['--url', 'pay'], '--url: must be a whole http'],
    [['--url', 'ftp://pay.example'], '--url: must be a whole http'],
    [['--url', 'http://a:b@pay.example'], '--url: may have no user'],
    [['--url', 'http://pay.example/x?y=1'], '--url: may have no user, query'],
    [['--url', 'http://pay.example/tcc/create-order/try'], '--url: must end before /try'],
    [[...URL_GIVEN, '--branch', 'Pay'], '--branch: must be'],
    [[...URL_GIVEN, '--namespace', 'a/b'], '--namespace: must be'],
    [[...URL_GIVEN, '--timeout', 'soon'], '--timeout: must be a number'],
    [[...URL_GIVEN, '--timeout', '0'], '--timeout: must be a number'],
    [[...URL_GIVEN, '--timeout', '3000'], '--timeout: must be a number'],
    [[...URL_GIVEN, '--token', 'Bearer x'], '--token: must be the token alone'],
    [[...URL_GIVEN, '--payload', '/nowhere/payload.json'], '--payload: /nowhere/payload.json cannot be read'],
    [[...URL_GIVEN, '--refused-payload', import.meta.filename], '--refused-payload: '],
    [[...URL_GIVEN, '--colour', 'red'], "'--colour'"],
    [[...URL_GIVEN, '--branch'], '--branch'],
  ])('are refused by name: %j', (argv, fault) => {
    expect(faults(...argv)).toEqual([expect.stringContaining(fault)]);
  });

  test('are refused all at once', () => {
    expect(faults('--branch', 'A', '--timeout=-1')).toHaveLength(3);
  });
});

describe('the tool', () => {
  test('ends with 2 for bad arguments, and shows how it is used', async () => {
    const run = await runTool('--timeout', 'soon');
    expect(run.code).toBe(2);
    expect(run.text).toMatch(/--url: is missing[\s\S]*--timeout: must be[\s\S]*usage: npm run conformance/);
  });

  test('says on --help what each option is for', async () => {
    const run = await runTool('--help');
    expect(run.code).toBe(0);
    for (const option of ['url', 'branch', 'payload', 'refused-payload', 'token', 'namespace', 'timeout'])
      expect(run.text).toContain(`--${option}`);
  });
});
