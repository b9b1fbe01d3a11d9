/** `npm run kind`: says what is missing before it does anything, and takes its steps in order up to the one that fails. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { imagesOf } from '../../local/try-out/steps.ts';
import { FakePrograms } from './fake-programs.ts';

const MAIN = join(import.meta.dirname, '../../local/kind.ts');
const TEST_MS = 60_000;

let programs: FakePrograms;
let values: string;
beforeEach(() => {
  programs = new FakePrograms();
  values = join(programs.folder, 'values.yaml');
  writeFileSync(values, '{}');
});
afterEach(() => programs.remove());

function kind(...args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  return new Promise((resolve) => {
    const env = { PATH: programs.path, HOME: programs.folder };
    execFile(process.execPath, [MAIN, '--values', values, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr }),
    );
  });
}

test(
  'each program that is missing is named, with where it is to be had, and nothing is done',
  async () => {
    programs.add('docker');
    const { code, said } = await kind();
    expect(code).toBe(2);
    for (const tool of ['kind', 'helm', 'kubectl'])
      expect(said).toMatch(new RegExp(`${tool}(, .* or newer)? is not on the PATH; it .*https://`));
    expect(said).not.toContain('docker is not');
    expect(said).toContain('nothing was done');
    expect(programs.told).toEqual(['docker version --format {{.Server.Version}}']);
  },
  TEST_MS,
);

test(
  'a docker whose daemon does not answer is said in its own words, and nothing is done',
  async () => {
    programs.add('docker', 'echo "Cannot connect to the Docker daemon" >&2; exit 1');
    for (const tool of ['kind', 'helm', 'kubectl']) programs.add(tool);
    const { code, said } = await kind();
    expect(code).toBe(2);
    expect(said).toContain('its daemon does not answer; start it (Cannot connect to the Docker daemon)');
    expect(programs.told.every((line) => / version( |$)/.test(line))).toBe(true);
  },
  TEST_MS,
);

test(
  'what is too old is named with what is needed, and nothing is done',
  async () => {
    programs.add('docker', 'echo 19.03.15').add('kubectl');
    programs.add('kind', 'echo "kind v0.31.0 go1.25.5 linux/amd64"').add('helm', 'echo v3.17.4');
    const { code, said } = await kind();
    expect(code).toBe(2);
    expect(said).toContain('docker 19.3 is too old: 20.10 or newer is needed; it builds images');
    expect(said).toContain('kind 0.31 is too old: 0.32 or newer is needed; it makes the cluster');
    expect(said).toContain('helm 3.17 is too old: 3.18 or newer is needed; it installs the chart');
    expect(said).toContain('nothing was done');
    expect(programs.told.every((line) => / version( |$)/.test(line))).toBe(true);
  },
  TEST_MS,
);

test(
  'a docker with little memory is said, and hinders nothing',
  async () => {
    programs.add('docker', 'case "$1" in version) echo 29.1.0;; info) echo 2067365888;; build) exit 1;; esac');
    programs.add('kind', 'case "$1" in version) echo "kind v0.32.0 go1.26.0 linux/amd64";; esac');
    programs.add('helm', 'echo v4.2.4').add('kubectl');
    const { said } = await kind();
    expect(said).toContain('docker has 1.9 GiB of memory, and this takes up to 4');
    expect(programs.told).toContainEqual(expect.stringMatching(/^kind create cluster/));
  },
  TEST_MS,
);

test(
  'cluster, images, chart and its test come in this order; what fails ends it, by its name',
  async () => {
    programs.add('docker', 'case "$*" in *inspect*) echo 150000000;; esac');
    programs.add('kind').add('kubectl');
    programs.add('helm', 'case "$1" in test) echo "pod failed" >&2; exit 3;; esac');
    const { code, said } = await kind('--name', 'mine');
    expect(code).toBe(1);
    expect(said).toContain('kind: helm test failed (exit code 3); what it said is above');
    const looks = /^(docker (image inspect|info)|\w+ version|kubectl .*get secrets)/;
    const steps = programs.told.filter((line) => !looks.test(line));
    const tag = /--set-string imageTag=(\S+)/.exec(programs.told.join('\n'))?.[1] ?? 'none';
    const images = imagesOf(tag);
    expect(steps).toEqual([
      'kind get clusters',
      expect.stringMatching(
        /^kind create cluster --name mine --kubeconfig \S+\/mine\.kubeconfig --config \S+\/kind-config\.yaml --wait/,
      ),
      ...images.map((image) => expect.stringMatching(new RegExp(`^docker build .*--tag ${image} `))),
      ...images.map((image) => `kind load docker-image --name mine ${image}`),
      expect.stringMatching(
        /^helm upgrade --install ordertx \S+\/helm\/ordertx .*--values \S+\/values-try\.yaml --values \S+\/values\.yaml .*--namespace shop .*--wait/,
      ),
      expect.stringMatching(/^helm test ordertx .*--namespace shop/),
    ]);
  },
  TEST_MS,
);

test(
  'a cluster that is there is used',
  async () => {
    programs.add('docker', 'case "$1" in build) exit 1;; esac');
    programs.add('kind', 'case "$2" in clusters) echo other; echo ordertx;; esac').add('helm').add('kubectl');
    const { code } = await kind();
    expect(code).toBe(1);
    expect(programs.told.some((line) => line.startsWith('kind export kubeconfig --name ordertx'))).toBe(true);
    expect(programs.told.some((line) => line.startsWith('kind create'))).toBe(false);
  },
  TEST_MS,
);

test(
  'a release that was left half-way is said, and installed all the same',
  async () => {
    programs.add('docker', 'case "$*" in *inspect*) echo 150000000;; esac').add('kind');
    programs.add('kubectl', 'case "$*" in *"get secrets"*) echo secret/sh.helm.release.v1.ordertx.v1;; esac');
    programs.add('helm', 'case "$1" in upgrade) exit 1;; esac');
    const { said } = await kind();
    expect(said).toContain('release ordertx was left half-way by a run that was cut off; secret/sh.helm.release.v1');
    const steps = programs.told.filter((line) => /^(helm upgrade|kubectl .*delete)/.test(line));
    expect(steps).toEqual([
      expect.stringMatching(/--namespace shop delete secret\/sh\.helm\.release\.v1\.ordertx\.v1$/),
      expect.stringMatching(/^helm upgrade --install ordertx/),
    ]);
  },
  TEST_MS,
);

test(
  'a cluster that was cut off while it was made is told from one that works, with what to do',
  async () => {
    programs.add('docker').add('helm').add('kubectl');
    programs.add('kind', 'case "$1 $2" in *clusters) echo ordertx;; export*) exit 1;; esac');
    const { code, said } = await kind();
    expect(code).toBe(1);
    expect(said).toContain('is not in order: `kind delete cluster --name ordertx`, and run this again');
    expect(programs.told.some((line) => line.startsWith('docker build'))).toBe(false);
  },
  TEST_MS,
);

test(
  'a name that is none, values that are not there and what is not known are refused with the usage',
  async () => {
    const { code, said } = await kind('--name', 'My Cluster');
    expect(code).toBe(2);
    expect(said).toMatch(/--name: "My Cluster" is no cluster's name.*\n.*usage: npm run kind/);
    expect((await kind('--nodes', '3')).said).toContain('usage: npm run kind');
    expect((await kind('--values', 'nowhere.yaml')).said).toMatch(/--values: nowhere\.yaml is not there: name a file/);
    expect(programs.told).toEqual([]);
  },
  TEST_MS,
);
