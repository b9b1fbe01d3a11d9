/** What kubectl's plugin must not come to say, or to do while it only looks. */
import type { Mutant } from './mutant.ts';

export const plugin: readonly Mutant[] = [
  {
    name: 'a participant that answers nobody is an incident for each way of saying so',
    breaks: 'what is one cause is one row',
    file: 'controller/cli/incident.ts',
    find: 'if (!there.some(({ ailment }) => isTurnAwaited(ailment))) return there;',
    replace: 'if (there.length > 0) return there;',
    tests: ['controller/cli/incident.test.ts'],
  },
  {
    name: 'an incident finds those alone that tell it in the words of its id',
    breaks: 'each row’s selector finds all that the row counts',
    file: 'controller/cli/incident.ts',
    find: 'find((one) => one.ids.includes(incident))?.ids ?? [];',
    replace: 'find((one) => one.ids.includes(incident))?.ids.filter((id) => id === incident) ?? [];',
    tests: ['controller/cli/incident.test.ts'],
  },
  {
    name: 'a message that nobody answers is not said to fail',
    breaks: 'a retry says of each what came of it',
    file: 'controller/cli/verbs/retry.ts',
    find: '  judgeLate: judgeSilence,\n',
    replace: '',
    tests: ['controller/cli/verbs/retry.test.ts', 'tests/cli/acting.real.test.ts'],
  },
  {
    name: 'a message that has just been published again is said to fail',
    breaks: 'only a receipt, or its absence for as long as people wait, is an answer',
    file: 'controller/cli/verbs/retry.ts',
    find: 'isAnswered && !isSilence(failing)',
    replace: 'isAnswered',
    tests: ['controller/cli/verbs/retry.test.ts'],
  },
  {
    name: 'the delete guard is tried by a deletion that its address does not say is a trial',
    breaks: 'a look at the system deletes nothing, whatever is between it and the API server',
    file: 'controller/cli/checks/tried.ts',
    find: "return { method: 'DELETE', path, query: DRY_RUN, body };",
    replace: "return { method: 'DELETE', path, body };",
    tests: ['controller/cli/checks/tried.test.ts'],
  },
  {
    name: 'a guard counts as in force where something else refuses',
    breaks: 'only what a guard itself has answered is said of it',
    file: 'controller/cli/checks/tried.ts',
    find: 'REFUSALS.includes(answer.error.status) && isBy(guard, answer.error.message)',
    replace: 'REFUSALS.includes(answer.error.status)',
    tests: ['controller/cli/checks/tried.test.ts'],
  },
];
