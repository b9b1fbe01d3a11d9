/** kind-config.yaml fits kind and kubeadm, and what it mounts is what the API server is told to read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { TRY_OUT } from '../../local/try-out/release.ts';
import { kindConfig } from './kind-config.ts';

const ROOT = join(import.meta.dirname, '../..');
const yaml = readFileSync(join(ROOT, 'kind-config.yaml'), 'utf8');
const { nodes, apiServer } = kindConfig();
const flag = (name: string): string => apiServer.extraArgs.find((each) => each.name === name)?.value ?? '';

test.each([
  ['a field that kind does not have', 'readOnly: true', 'readonly: true'],
  ['a field that kubeadm does not have', 'extraEnvs:', 'env:'],
  ['a number where kubeadm wants a text', '"400"', '400'],
  ['the kubeadm API that has no environment', 'kubeadm.k8s.io/v1beta4', 'kubeadm.k8s.io/v1beta3'],
  ['a node image that is not pinned', /@sha256:[0-9a-f]+/, ''],
])('is refused with %s', (_what, from, to) => {
  const changed = yaml.replace(from, to);
  expect(changed).not.toBe(yaml);
  expect(() => kindConfig(changed)).toThrow();
});

test('the node has the audit policy where the API server reads it', () => {
  const mounts = nodes.flatMap(({ extraMounts }) => extraMounts);
  const mount = mounts.find(({ containerPath }) => containerPath === flag('audit-policy-file'));
  expect(mount).toMatchObject({ readOnly: true });
  const policy = parse(readFileSync(join(ROOT, mount?.hostPath ?? ''), 'utf8')) as { readonly kind: string };
  expect(policy.kind).toBe('Policy');
});

test.each(['audit-policy-file', 'audit-log-path'])('the API server’s pod sees the folder of --%s', (name) => {
  const volume = apiServer.extraVolumes.find(({ mountPath }) => flag(name).startsWith(`${mountPath}/`));
  expect(volume).toBeDefined();
  expect(volume?.hostPath).toBe(volume?.mountPath);
  expect(volume?.readOnly).toBe(name === 'audit-policy-file');
});

test('the policy is for the accounts that are installed, and for no others', () => {
  const policy = readFileSync(join(ROOT, 'local/try-out/audit-policy.yaml'), 'utf8');
  const accounts = new Set([...policy.matchAll(/system:serviceaccount:[^']+/g)].map(([account]) => account));
  const ofRelease = (name: string) => `system:serviceaccount:${TRY_OUT.namespace}:${TRY_OUT.release}-${name}`;
  expect(accounts).toEqual(new Set([ofRelease('controller'), ofRelease('order')]));
});
