/**
 * The flags that every verb has, as kubectl has them.
 */
import { Option, type Command } from 'commander';

export interface KubectlFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly context?: string;
  readonly cluster?: string;
  readonly user?: string;
  readonly kubeconfig?: string;
  readonly as?: string;
  readonly asGroup?: readonly string[];
  readonly requestTimeout?: string;
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly output?: string;
  /** `--no-headers` makes it false. */
  readonly headers: boolean;
  readonly controller?: string;
  readonly archiveDatabaseUrl?: string;
}

export function addKubectlFlags(program: Command): void {
  const collected = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  program
    .option('-n, --namespace <name>', "the namespace; default: the context's")
    .option('-A, --all-namespaces', 'all namespaces')
    .option('--context <name>', 'the context of the kubeconfig')
    .option('--cluster <name>', 'the cluster of the kubeconfig')
    .option('--user <name>', 'the user of the kubeconfig')
    .option('--kubeconfig <path>', 'the kubeconfig; default: KUBECONFIG, ~/.kube/config')
    .option('--as <user>', 'act as somebody else')
    .addOption(new Option('--as-group <group>', 'act as a member of this group; may be repeated').argParser(collected))
    .option('--request-timeout <duration>', 'how long one request to the API server may take (30s)')
    .option('-l, --selector <labels>', 'only those with these labels')
    .option('--field-selector <fields>', 'only those with these fields')
    .option('-o, --output <format>', 'json, yaml, name, wide or jsonpath=TEMPLATE')
    .option('--no-headers', 'tables without their heads')
    .option('--controller <where>', 'ports of controllers: URLs, or NAMESPACE/SERVICE[:PORT] through the API server')
    .option('--archive-database-url <url>', "the archive's Postgres database (ARCHIVE_DATABASE_URL)");
}
