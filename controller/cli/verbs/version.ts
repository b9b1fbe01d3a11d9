/**
 * version: of the plugin, of what is installed and of what runs, and whether they fit.
 */
import type { Command } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import { table } from '../output/table.ts';
import type { Session } from '../session.ts';
import { EXIT_FAILED } from '../trouble.ts';
import type { Run } from '../verb.ts';

/** What this plugin speaks. */
const API_VERSION = 'v1alpha1';

interface GroupDiscovery {
  readonly versions: readonly { readonly version: string }[];
}

export interface Versions {
  readonly plugin: string;
  readonly node: string;
  /** Undefined where the API server does not serve the group, or may not be asked. */
  readonly served: readonly string[] | undefined;
  readonly kubernetes: string | undefined;
  readonly controllers: readonly {
    readonly where: string;
    readonly version?: string;
    readonly replica?: string;
    readonly error?: string;
  }[];
  readonly warnings: readonly string[];
}

export function addVersion(program: Command, run: Run): void {
  const command = program
    .command('version')
    .description('versions of the plugin, the resources and the controllers')
    .option('--client', 'only of the plugin: nothing is asked for');
  command.action((flags: { readonly client?: boolean }) =>
    run(command, (session) => version(session, flags.client === true)),
  );
}

async function version(session: Session, clientOnly: boolean): Promise<number | undefined> {
  const versions = clientOnly ? ofPlugin() : await readVersions(session);
  await session.render({
    object: versions,
    names: [versions.plugin],
    text: () =>
      table(
        [],
        [
          ['Plugin:', `${versions.plugin} (Node ${versions.node})`],
          ...(clientOnly
            ? []
            : [
                [
                  'Resources:',
                  versions.served === undefined ? 'not served' : `ordertx.dev/${versions.served.join(', ')}`,
                ],
                ['Kubernetes:', versions.kubernetes ?? 'unknown'],
                ...versions.controllers.map((each) => [
                  'Controller:',
                  each.error === undefined
                    ? `${each.version ?? ''} (${each.replica ?? ''} at ${each.where})`
                    : `${each.where}: ${each.error}`,
                ]),
                ...(versions.controllers.length === 0
                  ? [['Controller:', 'not asked: name its port with --controller or ORDERTX_CONTROLLER_URL']]
                  : []),
              ]),
        ],
      ),
  });
  for (const warning of versions.warnings) session.terminal.say(`warning: ${warning}`);
  return versions.served === undefined && !clientOnly ? EXIT_FAILED : undefined;
}

function ofPlugin(): Versions {
  const nothing = { served: undefined, kubernetes: undefined, controllers: [], warnings: [] };
  return { plugin: manifest.version, node: process.versions.node, ...nothing };
}

export async function readVersions(session: Session): Promise<Versions> {
  const [group, kubernetes, heard] = await Promise.all([
    session.api.ask<GroupDiscovery>({ method: 'GET', path: '/apis/ordertx.dev' }),
    session.api.ask<{ readonly gitVersion: string }>({ method: 'GET', path: '/version' }),
    session.controllers.versions(),
  ]);
  const served = group.kind === 'ok' ? group.body.versions.map(({ version: each }) => each) : undefined;
  const controllers = heard.map((each) =>
    each.kind === 'heard' ? { where: each.where, ...each.body } : { where: each.where, error: each.message },
  );
  const skewed = controllers.filter((each) => 'version' in each && isSkewed(each.version));
  return {
    ...ofPlugin(),
    served,
    kubernetes: kubernetes.kind === 'ok' ? kubernetes.body.gitVersion : undefined,
    controllers,
    warnings: [
      ...(served === undefined ? [`ordertx.dev is not served there: ${whyNot(group)}`] : []),
      ...(served !== undefined && !served.includes(API_VERSION)
        ? [`this plugin speaks ordertx.dev/${API_VERSION}, which is not served any more: take a newer plugin`]
        : []),
      ...skewed.map(
        (each) =>
          `the controller at ${each.where} is ${'version' in each ? (each.version ?? '') : ''}, this plugin is ${manifest.version}: what it says about the next step may differ`,
      ),
    ],
  };
}

function whyNot(group: {
  readonly kind: string;
  readonly error?: { readonly message: string };
  readonly message?: string;
}): string {
  return group.error?.message ?? group.message ?? '';
}

/** Before 1.0 a minor version may change what is stored; from there on a major one. */
export function isSkewed(other: string | undefined, own: string = manifest.version): boolean {
  const [major, minor] = own.split('.');
  const [otherMajor, otherMinor] = (other ?? '').split('.');
  return major !== otherMajor || (major === '0' && minor !== otherMinor);
}
