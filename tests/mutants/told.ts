/** What must not become of what people are told: of their acts, of trouble, and of what guards the resources. */
import type { Mutant } from './mutant.ts';

const acting = ['controller/cli/acting.test.ts'];
const sentences = ['controller/src/reconcile/stuck-sentences.test.ts'];

export const told: readonly Mutant[] = [
  {
    name: 'what was under way answers a retry that was asked for meanwhile',
    breaks: 'a retry request is an attempt of its own, and is answered by that',
    file: 'controller/src/reconcile/work.ts',
    find: "if (this.#requested.has(answer.target) && answer.outcome.kind !== 'succeeded') return;",
    replace: '',
    tests: ['controller/src/reconcile/retry-requests.test.ts'],
  },
  {
    name: 'an alarm is raised by whoever answers last',
    breaks: 'an alarm and its sentence are about the same participant',
    file: 'controller/src/transaction/apply-outcomes.ts',
    find: 'return told.waitingFor === target ? raiseAlarm(told, alarm, told.message, atMs) : told;',
    replace: 'return raiseAlarm(told, alarm, told.message, atMs);',
    tests: sentences,
  },
  {
    name: 'what a person has settled waits for its minute',
    breaks: 'whoever settles a part sees it at once',
    file: 'controller/src/transaction/notice.ts',
    find: ' || isSettledAnew(view, status)',
    replace: '',
    tests: sentences,
  },
  {
    name: 'a resolution goes to whatever has the name by now',
    breaks: 'an act is for the transaction that was chosen',
    file: 'controller/cli/verbs/settle.ts',
    find: 'if (read.metadata.uid !== transaction.metadata.uid) return tooLateAnswer(ANOTHER);',
    replace: '',
    tests: acting,
  },
  {
    name: 'what is gone counts as settled',
    breaks: 'success is claimed only of what was seen',
    file: 'controller/cli/verbs/retry.ts',
    find: 'if (now === undefined) return tooLate(GONE);',
    replace: 'if (now === undefined) return settled(GONE);',
    tests: acting,
  },
  {
    name: 'whatever copy there is of what was given up is deleted',
    breaks: 'what ends meanwhile is archived as it ended',
    file: 'controller/cli/verbs/abandon.ts',
    find: 'await remove(metadata.resourceVersion, false)',
    replace: 'await remove(undefined, false)',
    tests: acting,
  },
  {
    name: 'a guard that only audits is in force',
    breaks: 'check says whether a guard refuses, not whether it is there',
    file: 'controller/cli/checks/installed.ts',
    find: "if (!isOptional && spec.validationActions?.includes('Deny') !== true)",
    replace: 'if (!isOptional && spec.validationActions === undefined)',
    tests: ['controller/cli/checks/installed.test.ts'],
  },
  {
    name: 'a report quotes what participants have said',
    breaks: 'a report holds nobody else’s words',
    file: 'controller/cli/redaction.ts',
    find: 'before + redacted(quoted) + after',
    replace: 'before + quoted + after',
    tests: ['controller/cli/redaction.test.ts'],
  },
];
