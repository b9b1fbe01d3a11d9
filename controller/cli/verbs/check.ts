/**
 * check: whether what is installed can do its work, and what the person asking may do.
 *
 * What may not be looked at is `unknown` and said with the right that is lacking; only what was seen to be wrong fails.
 */
import type { Command } from 'commander';
import { table } from '../output/table.ts';
import type { Session } from '../session.ts';
import { EXIT_FAILED } from '../trouble.ts';
import type { Run } from '../verb.ts';
import type { Finding } from '../checks/finding.ts';
import { checkLeases } from '../checks/leases.ts';
import { checkArchive, checkControllers } from '../checks/running.ts';
import { checkCrds, checkGuards } from '../checks/installed.ts';
import { checkRights } from '../checks/rights.ts';
import { tryGuards } from '../checks/tried.ts';

export function addCheck(program: Command, run: Run): void {
  const command = program.command('check').description('whether what is installed works, and what you may do');
  command.action(() => run(command, check));
}

async function check(session: Session): Promise<number> {
  const findings = await findAll(session);
  await session.render({
    object: { apiVersion: 'ordertx.dev/v1alpha1', kind: 'CheckReport', items: findings },
    names: findings.filter(({ state }) => state !== 'ok').map(({ what }) => what),
    text: () => {
      const rows = findings.map(({ what, state, sentence }) => [what, state, sentence]);
      return table(session.isWithHeads ? ['WHAT', 'STATE', 'WHY'] : [], rows);
    },
  });
  return findings.some(({ state }) => state === 'wrong') ? EXIT_FAILED : 0;
}

export async function findAll(session: Session): Promise<readonly Finding[]> {
  const found = await Promise.all([
    checkCrds(session),
    checkGuards(session),
    tryGuards(session),
    checkLeases(session),
    checkControllers(session),
    checkArchive(session),
    checkRights(session),
  ]);
  return found.flat();
}
