/**
 * Checks one participant: reads the command line, finds out what it must know, runs every check, and says what came of it.
 */
import { readArguments, USAGE, type Settings } from './arguments.ts';
import { Bench } from './bench.ts';
import { cellChecks } from './checks/cells.ts';
import type { Check, Finding, Means, Need } from './checks/check.ts';
import { guardChecks } from './checks/guard-checks.ts';
import { payloadChecks } from './checks/payload-checks.ts';
import { raceChecks } from './checks/race-checks.ts';
import { findBranchName, findPayloads, type Payloads } from './probes.ts';
import { isAllRight, linesOf, summaryOf, type Checked } from './report.ts';
import { Transport } from './transport.ts';

/** In this order, because what is wrong with a cell explains much of what comes after it. */
export const CHECKS: readonly Check[] = [...cellChecks, ...payloadChecks, ...guardChecks, ...raceChecks];

const EXIT = { right: 0, wrong: 1, badArguments: 2 } as const;

export type Print = (line: string) => void;

/** The process's exit code: 0 only where every check was driven and right. */
export async function conformance(argv: readonly string[], print: Print): Promise<number> {
  const read = readArguments(argv);
  switch (read.kind) {
    case 'help':
      print(USAGE);
      return EXIT.right;
    case 'faulty':
      for (const fault of read.faults) print(fault);
      print(`\n${USAGE}`);
      return EXIT.badArguments;
    case 'settings': {
      const transport = new Transport(read.settings.timeoutMs);
      try {
        return await checkParticipant(read.settings, transport, print);
      } finally {
        transport.close();
      }
    }
  }
}

async function checkParticipant(settings: Settings, transport: Transport, print: Print): Promise<number> {
  const { url, namespace, token } = settings;
  const branch = await findBranchName(settings, transport);
  print(`${url}: branch ${branch.name} (${branch.from}), namespace ${namespace}`);
  const bench = new Bench({ url, token, namespace, branch: branch.name }, transport);
  const probe = await findPayloads(settings, bench);
  if (probe.kind === 'stopped') {
    print(`nothing was checked: ${probe.why}`);
    return EXIT.wrong;
  }
  const { payloads } = probe;
  print(`accepted: ${payloads.accepted?.title ?? 'none'}; refused: ${payloads.refused?.title ?? 'none'}`);
  if (payloads.note !== undefined) print(payloads.note);
  if (token === undefined) print('tokens are not checked: that takes --token');
  const means: Means = { bench, ...payloads, ...(token === undefined ? {} : { token }) };
  const checked: Checked[] = [];
  for (const check of CHECKS.filter(({ needs }) => token !== undefined || !needs.includes('token'))) {
    const finding = await findingOf(check, means, payloads);
    checked.push({ check, finding });
    for (const line of linesOf({ check, finding })) print(line);
  }
  if (payloads.lack !== undefined) print(payloads.lack);
  print(summaryOf(checked, transport.slowestSeconds, settings.timeoutMs));
  return isAllRight(checked) ? EXIT.right : EXIT.wrong;
}

async function findingOf(check: Check, means: Means, payloads: Payloads): Promise<Finding> {
  if (check.needs.some((need) => isLacking(need, payloads)))
    return { kind: 'undriven', why: payloads.lack ?? 'it lacks a payload' };
  const finding = await check.run(means);
  await means.bench.leave();
  return finding;
}

function isLacking(need: Need, { accepted, refused }: Payloads): boolean {
  switch (need) {
    case 'payload':
      return accepted === undefined;
    case 'refused-payload':
      return refused === undefined;
    case 'token':
      return false;
  }
}
