/**
 * migrate: stores every object anew in the storage version, so that an older one can go (migrate.ts).
 */
import type { Command } from 'commander';
import { migrate, type Migration } from '../migrate.ts';
import { isForPrograms } from '../output/format.ts';
import { counted } from '../output/table.ts';
import type { Session } from '../session.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED, usage } from '../trouble.ts';
import type { Run } from '../verb.ts';

const CRDS = ['ordertransactions.ordertx.dev', 'transactionflows.ordertx.dev'] as const;

interface MigrateFlags {
  readonly yes?: boolean;
  readonly concurrency: string;
}

export function addMigrate(program: Command, run: Run): void {
  const command = program
    .command('migrate')
    .description('store every object in the storage version, rewrite managed fields, and prune stored versions')
    .option('-y, --yes', 'do not ask')
    .option('--concurrency <count>', 'how many objects are stored at once', '8');
  command.action((flags: MigrateFlags) => run(command, (session) => migrateAll(session, flags)));
}

async function migrateAll(session: Session, { yes, concurrency }: MigrateFlags): Promise<number> {
  if (!/^([1-9]|[1-5]\d|6[0-4])$/.test(concurrency))
    throw usage(`--concurrency: "${concurrency}" is no number from 1 to 64`);
  const { terminal, format, stopping } = session;
  const question = 'Store every object of ordertx.dev again, in all namespaces';
  if (yes !== true) {
    if (isForPrograms(format) || !terminal.canAsk) throw usage(`${question}? Nobody can be asked here: say --yes`);
    if (!(await terminal.confirms(`${question}?`))) {
      terminal.say('Nothing was done.');
      return EXIT_FAILED;
    }
  }
  const items: (Migration & { readonly crd: string })[] = [];
  for (const crd of CRDS) {
    const onProgress = (done: number, total: number): void => terminal.say(`${crd}: ${done} of ${total}`);
    items.push({
      crd,
      ...(await migrate(session.api, crd, { concurrency: Number(concurrency), onProgress, signal: stopping })),
    });
  }
  await session.render({
    object: { apiVersion: 'ordertx.dev/v1alpha1', kind: 'MigrationReport', items },
    names: items.filter(({ kind }) => kind === 'migrated').map(({ crd }) => crd),
    text: () => items.map((item) => textOf(item)).join(''),
  });
  if (stopping.aborted) return EXIT_INTERRUPTED;
  return items.every(({ kind }) => kind === 'migrated') ? 0 : EXIT_FAILED;
}

function textOf(item: Migration & { readonly crd: string }): string {
  switch (item.kind) {
    case 'migrated': {
      const pruned = item.pruned.length === 0 ? 'no older version was stored' : `${item.pruned.join(', ')} can go`;
      const fields =
        item.managedFieldsRewritten > 0 ? `, managed fields of ${item.managedFieldsRewritten} rewritten` : '';
      return `${item.crd}: ${counted(item.objects, 'object')} stored in ${item.storageVersion}${fields}; ${pruned}\n`;
    }
    case 'incomplete':
      return [
        `${item.crd}: not all of ${counted(item.objects, 'object')} are stored in ${item.storageVersion}; run it again:\n`,
        ...item.failed.map(({ object, why }) => `  ${object}: ${why}\n`),
      ].join('');
    case 'refused':
      return `${item.crd}: refused: ${item.why}\n`;
  }
}
