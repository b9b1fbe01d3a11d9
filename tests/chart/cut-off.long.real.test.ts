/** A release whose helm was killed in the midst of its work is brought on by the next run, by helm 4 and by 3.18. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { readFileSync } from 'node:fs';
import { waitFor } from '../../local/deadline.ts';
import type { HelmMajor } from '../../local/helm.ts';
import { forgetCutOff } from '../../local/try-out/cut-off.ts';
import { freshNamespace, world } from '../world/world.ts';
import { CHART, openHelm, over, type Helm, type Values } from './chart.ts';

const RELEASE = 'shop';
const TEST_MS = 120_000;
/** Nothing of it is the cluster's: others use that, too. */
const VALUES = over(parse(readFileSync(join(CHART, 'values-controller-only.yaml'), 'utf8')) as Values, {
  redis: { existingSecret: 'redis' },
  crds: { enabled: false },
  roles: { create: false },
  apiPriority: { enabled: false },
});

describe.each<HelmMajor>([4, 3])('helm %i', (major) => {
  let helm: Helm;
  let namespace: string;
  let command: readonly string[];
  beforeAll(async () => {
    [helm, namespace] = await Promise.all([openHelm(major), freshNamespace('cut-off')]);
    command = ['upgrade', '--install', RELEASE, CHART, '-n', namespace, '-f', await helm.valuesFile(VALUES)];
  }, 900_000);
  afterAll(() => helm.close());

  const kubectl = async (...args: readonly string[]) =>
    (await promisify(execFile)(world().kubectl, ['--kubeconfig', world().kubeconfig, '-n', namespace, ...args])).stdout;
  const records = () =>
    kubectl('get', 'secrets', '-l', 'owner=helm', '-o', 'jsonpath={.items[*].metadata.labels.status}');
  const run = (...more: readonly string[]) => helm.run([...command, ...more], world().kubeconfig);

  /** No kubelet is here, so no pod ever becomes ready and helm waits until it is killed. */
  async function cutOff(pending: string, ...more: readonly string[]): Promise<void> {
    const env = { ...process.env, KUBECONFIG: world().kubeconfig };
    const child = spawn(helm.program, [...command, ...more, '--wait', '--timeout', '5m'], { env, stdio: 'ignore' });
    const ended = new Promise((settle) => child.once('close', settle));
    await waitFor(async () => (await records()).includes(pending), {
      what: `a record ${pending}`,
      deadlineMs: TEST_MS / 2,
    });
    child.kill('SIGKILL');
    await ended;
  }

  test(
    'cut off while it was installed, or upgraded',
    async () => {
      expect(await forgetCutOff({ release: RELEASE }, kubectl)).toEqual([]);
      await cutOff('pending-install');
      await expect(run()).rejects.toThrow('another operation (install/upgrade/rollback) is in progress');
      expect(await forgetCutOff({ release: RELEASE }, kubectl)).toEqual(['secret/sh.helm.release.v1.shop.v1']);
      await run();
      expect(await records()).toBe('deployed');

      await cutOff('pending-upgrade', '--set', 'controller.replicas=3');
      await expect(run()).rejects.toThrow('another operation (install/upgrade/rollback) is in progress');
      expect(await forgetCutOff({ release: 'shops' }, kubectl)).toEqual([]);
      expect(await forgetCutOff({ release: RELEASE }, kubectl)).toEqual(['secret/sh.helm.release.v1.shop.v2']);
      await run('--set', 'controller.replicas=4');
      expect(await records()).toBe('superseded deployed');
      const replicas = await kubectl('get', 'deployments', '-o', 'jsonpath={.items[*].spec.replicas}');
      expect(replicas).toBe('4');
    },
    TEST_MS,
  );
});
