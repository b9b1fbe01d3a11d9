/** What must not become of replicas that share, and of what has ended. */
import type { Mutant } from './mutant.ts';

export const manyAndEnded: readonly Mutant[] = [
  {
    name: 'a replica that died is replaced at the round after it may be',
    breaks: 'what a dead replica owned goes on within 15 s',
    file: 'controller/src/kubernetes/shards.ts',
    find: 'Math.min(pauseMs, lease.freeInMs() ?? Infinity)',
    replace: 'Math.max(pauseMs, lease.freeInMs() ?? 0)',
    tests: ['controller/src/kubernetes/shards.test.ts'],
  },
  {
    name: 'a flow is told anew after every look',
    breaks: 'ADR 36: a flow is written once when it begins and once when it is over',
    file: 'controller/src/kubernetes/flow-removal-report.ts',
    find: 'if (before?.reason === said.reason || ',
    replace: 'if (',
    tests: ['controller/src/kubernetes/flow-removal-report.real.test.ts'],
  },
  {
    name: 'every replica looks at every transaction',
    breaks: 'a further replica costs what it hears, and nothing is done for what is another’s',
    file: 'controller/src/reconcile/reconciler.ts',
    find: 'if (isOurs || this.#works.has(key)) this.#ports.schedule.soon(key);',
    replace: 'if (isOurs || transaction !== undefined) this.#ports.schedule.soon(key);',
    tests: ['controller/src/reconcile/reconciler.test.ts'],
  },
  {
    name: 'a minute is removed as a collection however slow that is',
    breaks: 'live objects stay bounded at full speed: removal keeps up with an API server that is busy',
    file: 'controller/src/removal/remover.ts',
    find: '(this.#timesPaceMax(which) * result',
    replace: '(2_000 * result',
    tests: ['controller/src/removal/remover.test.ts'],
  },
  {
    name: 'a collection that lags a little is given up, also where removal is not behind',
    breaks: 'removal costs little: a collection costs half of what removing one by one does',
    file: 'controller/src/removal/remover.ts',
    find: '? COLLECTION_TIMES_PACE_MAX_BEHIND : COLLECTION_TIMES_PACE_MAX;',
    replace: '? COLLECTION_TIMES_PACE_MAX_BEHIND : COLLECTION_TIMES_PACE_MAX_BEHIND;',
    tests: ['controller/src/removal/remover.test.ts'],
  },
  {
    name: 'removal asks a busy API server for no more however far it is behind',
    breaks: 'live objects stay bounded at full speed: it is asked for more where removal is behind',
    file: 'controller/src/removal/remover.ts',
    find: 'const LANES_BEHIND = 50;',
    replace: 'const LANES_BEHIND = 32;',
    tests: ['controller/src/removal/remover.test.ts'],
  },
];
