/**
 * Settings: every bad one at once, by name, with what to do.
 */
import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  checkParticipantSettings,
  checkServiceSettings,
  participantSettings,
  serviceSettings,
  tokenSettings,
  type ParticipantValues,
  type ServiceValues,
} from './service-settings.ts';

const settings = { ...serviceSettings, ...participantSettings };
import { describeSettingProblems, readSettings } from './settings.ts';

const GOOD = {
  DATABASE_URL: 'postgres://u:hunter2@db:5432/order',
  ORDERTX_NAMESPACES: 'shop, default',
  ORDERTX_AUDIENCE: 'ordertx/order.shop',
  ORDERTX_TOKEN_ISSUER: 'https://kubernetes.default.svc',
  ORDERTX_JWKS_URL: 'http://controller:8080/jwks',
  ORDERTX_CONTROLLER_SUBJECT: 'system:serviceaccount:default:ordertx-controller',
};
type Environment = Record<string, string | undefined>;

const check = (values: Partial<ServiceValues & ParticipantValues>) => [
  ...checkServiceSettings(values),
  ...checkParticipantSettings(values),
];
const read = (environment: Environment) => readSettings(settings, environment, check);
function problemsOf(environment: Environment): string[] {
  const result = read(environment);
  return result.kind === 'bad' ? result.problems.map(({ name, message }) => `${name} ${message}`) : [];
}

describe('settings of a service', () => {
  test('are read, with defaults for what is not set', () => {
    expect(read(GOOD)).toMatchObject({
      kind: 'read',
      values: {
        port: 8080,
        namespaces: ['shop', 'default'],
        auth: 'on',
        retentionDays: 30,
        logLevel: 'info',
        jwksFile: undefined,
      },
    });
  });

  test('that are bad are all reported at once', () => {
    const problems = problemsOf({
      ...GOOD,
      PORT: '0',
      DATABASE_URL: undefined,
      ORDERTX_NAMESPACES: 'Shop',
      ORDERTX_AUTH: 'maybe',
      ORDERTX_RETENTION_DAYS: '7',
      LOG_LEVEL: 'loud',
    });
    expect(problems).toEqual([
      'PORT must be a whole number from 1 to 65535 (it is "0")',
      expect.stringMatching(/^DATABASE_URL is not set; it is needed: /),
      expect.stringMatching(/^ORDERTX_NAMESPACES must be namespace names .* \(it is "Shop"\)$/),
      'ORDERTX_RETENTION_DAYS must be a whole number from 8 to 3650 (it is "7")',
      expect.stringMatching(/^LOG_LEVEL must be one of trace, /),
      'ORDERTX_AUTH must be on or off (it is "maybe")',
    ]);
  });

  test.each(['1.5', '1e3', ' 80', '0x50', '99999999999999999999', '-1'])('PORT=%s is no port', (PORT) => {
    expect(problemsOf({ ...GOOD, PORT })).toHaveLength(1);
  });

  test('ADMIN_PORT is another port than PORT, the default one included, and is told with all the others', () => {
    const both = (port: number) => `ADMIN_PORT must be another port than PORT, or not be set (both are ${port})`;
    expect(problemsOf({ ...GOOD, PORT: '9000', ADMIN_PORT: '9000', LOG_LEVEL: 'loud' })).toEqual([
      expect.stringMatching(/^LOG_LEVEL must be one of/),
      both(9000),
    ]);
    expect(problemsOf({ ...GOOD, ADMIN_PORT: '8080' })).toEqual([both(8080)]);
    expect(problemsOf({ ...GOOD, ADMIN_PORT: '8081' })).toEqual([]);
    expect(problemsOf({ ...GOOD, PORT: 'x', ADMIN_PORT: 'x' })).toHaveLength(2);
  });

  test('METRICS_PORT is another port than both', () => {
    const ports = { PORT: '9000', ADMIN_PORT: '9001' };
    const same = (other: string, port: number) => [
      `METRICS_PORT must be another port than ${other}, or not be set (both are ${port})`,
    ];
    expect(problemsOf({ ...GOOD, ...ports, METRICS_PORT: '9000' })).toEqual(same('PORT', 9000));
    expect(problemsOf({ ...GOOD, ...ports, METRICS_PORT: '9001' })).toEqual(same('ADMIN_PORT', 9001));
    expect(problemsOf({ ...GOOD, ...ports, METRICS_PORT: '9002' })).toEqual([]);
  });

  test('an empty variable counts as not set', () => {
    expect(problemsOf({ ...GOOD, PORT: '', ORDERTX_JWKS_FILE: '' })).toEqual([]);
    expect(problemsOf({ ...GOOD, ORDERTX_NAMESPACES: '' })).toHaveLength(1);
    expect(problemsOf({ ...GOOD, ORDERTX_NAMESPACES: ' , ' })).toHaveLength(1);
  });

  test('a secret is never shown', () => {
    expect(problemsOf({ ...GOOD, DATABASE_URL: 'mysql://u:hunter2@db/order' })).toEqual([
      'DATABASE_URL must start with postgres://',
    ]);
  });
});

describe('ORDERTX_AUTH', () => {
  test('on needs everything that tokens are checked by', () => {
    const problems = problemsOf({ DATABASE_URL: GOOD.DATABASE_URL, ORDERTX_NAMESPACES: 'shop' });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'ORDERTX_AUDIENCE',
      'ORDERTX_TOKEN_ISSUER',
      'ORDERTX_CONTROLLER_SUBJECT',
      'ORDERTX_JWKS_FILE',
    ]);
  });

  test('on takes keys from one place, not two', () => {
    expect(problemsOf({ ...GOOD, ORDERTX_JWKS_FILE: '/keys.json' })).toEqual([
      'ORDERTX_JWKS_FILE and ORDERTX_JWKS_URL are both set; set one of them',
    ]);
  });

  test('on becomes the rules that tokens are checked by', () => {
    const result = read(GOOD);
    expect(result.kind === 'read' && tokenSettings(result.values)).toEqual({
      auth: 'on',
      audience: GOOD.ORDERTX_AUDIENCE,
      issuer: GOOD.ORDERTX_TOKEN_ISSUER,
      subject: GOOD.ORDERTX_CONTROLLER_SUBJECT,
      keys: { urls: [GOOD.ORDERTX_JWKS_URL] },
    });
  });

  test('off needs none of it', () => {
    const result = read({ DATABASE_URL: GOOD.DATABASE_URL, ORDERTX_NAMESPACES: 'shop', ORDERTX_AUTH: 'off' });
    expect(result.kind === 'read' && tokenSettings(result.values)).toEqual({ auth: 'off' });
  });
});

test('every setting has a description that a reader can use', () => {
  for (const { description } of Object.values(settings)) expect(description).toMatch(/^[A-Z].{20,}\.$/);
});

test('a process with bad settings says so on stderr and exits with 2', () => {
  const settings = JSON.stringify(fileURLToPath(new URL('./settings.ts', import.meta.url)));
  const service = JSON.stringify(fileURLToPath(new URL('./service-settings.ts', import.meta.url)));
  const program = `
    const { readSettingsOrExit } = await import(${settings});
    const { serviceSettings, participantSettings, checkParticipantSettings } = await import(${service});
    readSettingsOrExit({ ...serviceSettings, ...participantSettings }, { PORT: 'x' }, checkParticipantSettings);
    console.log('went on');`;
  const { status, stderr, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain('  PORT must be a whole number from 1 to 65535 (it is "x")\n  DATABASE_URL is not set');
  expect(stderr).toContain('ORDERTX_AUDIENCE');
});

test('one bad setting is spoken of in the singular', () => {
  expect(describeSettingProblems([{ name: 'PORT', message: 'must be a port' }])).toBe(
    'One setting is not usable:\n  PORT must be a port',
  );
});
