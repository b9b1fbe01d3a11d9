/**
 * Who follows a page of docs/operating: somebody with a kubeconfig for the shop's namespace, kubectl's plugin, and the variables that the
 * pages' commands need.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeKubeconfig } from '../../local/control-plane/kubeconfig.ts';
import { inheritedEnvironment } from '../../local/process-group.ts';
import { buildCli } from '../../scripts/build-cli.ts';
import { PageWalk, type CommandRun } from './page-commands.ts';
import type { Shop } from './shop.ts';
import { world, type World } from './world.ts';

export interface ReaderOptions {
  /** Default: the shared world's. */
  readonly cluster?: Pick<World, 'apiServerUrl' | 'certificate' | 'token' | 'kubectl'>;
  readonly controllerUrl?: string;
}

export interface PageReader {
  readonly run: CommandRun;
  /** For whatever a page has the reader write to a file. */
  readonly folder: string;
  /** @param page its name in docs/operating, without .md */
  walk(page: string, names?: Readonly<Record<string, string>>): PageWalk;
  close(): Promise<void>;
}

export async function openReader(shop: Shop, options: ReaderOptions = {}): Promise<PageReader> {
  const { apiServerUrl: url, certificate, token, kubectl } = options.cluster ?? world();
  const folder = await mkdtemp(join(tmpdir(), 'ordertx-reader-'));
  const plugins = join(folder, 'plugins');
  await buildCli(plugins);
  const kubeconfig = join(folder, 'kubeconfig');
  await writeKubeconfig(kubeconfig, { url, certificate, token, user: 'admin', namespace: shop.namespace });
  const services = Object.entries(shop.services).flatMap(([name, service]) => [
    [`${name.toUpperCase()}_URL`, service.url],
    [`${name.toUpperCase()}_DATABASE_URL`, service.databaseUrl],
  ]);
  const run: CommandRun = {
    ...{ kubectl, plugins },
    env: {
      ...inheritedEnvironment(),
      ...(Object.fromEntries(services) as Record<string, string>),
      ...{ HOME: folder, KUBECONFIG: kubeconfig },
      ...(options.controllerUrl !== undefined && { ORDERTX_CONTROLLER_URL: options.controllerUrl }),
    },
  };
  return {
    ...{ run, folder },
    walk: (page, names = {}) => new PageWalk(`docs/operating/${page}.md`, { ...run, names }),
    close: () => rm(folder, { recursive: true }),
  };
}
