/** What must not become of who may act and who did. */
import type { Mutant } from './mutant.ts';

const tests = ['tests/crds/acts.real.test.ts'];

export const acts: readonly Mutant[] = [
  {
    name: 'whoever may suspend may settle',
    breaks: 'each act needs a verb of its own',
    file: 'crds/acts.yaml',
    find: "variables.settled.size() == 0 || variables.rights.check('settle').allowed()",
    replace: "variables.settled.size() == 0 || variables.rights.check('patch').allowed()",
    tests,
  },
  {
    name: 'to let a suspended one go on needs no right',
    breaks: 'suspend needs its verb in both directions',
    file: 'crds/acts.yaml',
    find: '!(variables.suspends || variables.resumes) || variables',
    replace: '!variables.suspends || variables',
    tests,
  },
  {
    name: 'acts at a creation are not looked at',
    breaks: 'what is set at creation needs its verb and its name as well',
    file: 'crds/acts.yaml',
    find: 'operations: [CREATE, UPDATE]',
    replace: 'operations: [UPDATE]',
    tests,
  },
  {
    name: "a suspension may carry another's name",
    breaks: 'nobody can forge who did it',
    file: 'crds/acts.yaml',
    find: '(variables.suspends ? variables.caller : variables.was.?suspendedBy',
    replace: '(variables.suspends ? object.spec.?suspendedBy.orValue(variables.caller) : variables.was.?suspendedBy',
    tests,
  },
  {
    name: 'who gave it up can be rewritten',
    breaks: 'nobody changes or removes a stored name',
    file: 'crds/acts.yaml',
    find: "variables.abandonChanges ? variables.caller : variables.noted[?'ordertx.dev/abandoned-by'].orValue(''))",
    replace: "variables.abandonChanges ? variables.caller : variables.notes[?'ordertx.dev/abandoned-by'].orValue(''))",
    tests,
  },
  {
    name: 'a resolution is signed by whoever wrote the last one',
    breaks: 'of two who settle, each has his own name',
    file: 'crds/acts-by.yaml',
    find: 'value: variables.settlers[?r.target].orValue(variables.caller)',
    replace:
      'value: variables.settlers[?r.target].orValue(object.spec.resolutions[object.spec.resolutions.size() - 1].?by.orValue(variables.caller))',
    tests,
  },
  {
    name: 'the name of the last one who suspended stays when another does',
    breaks: 'whoever suspends it again has his name there',
    file: 'crds/acts-by.yaml',
    find: "(n.says == '' || n.says == n.stored) && n.says != variables.caller",
    replace: "n.says == ''",
    tests,
  },
  {
    name: 'what has ended can still be settled',
    breaks: 'an act that comes too late is refused in words',
    file: 'crds/acts.yaml',
    find: 'variables.settled.all(r, !(r.target in variables.endedTargets))',
    replace: 'variables.settled.all(r, !(r.target in []))',
    tests,
  },
  {
    name: 'an act is told again after every restart',
    breaks: 'an Event tells each act once, also over restarts',
    file: 'controller/src/transaction/acts.ts',
    find: "const before = seen?.suspend ?? conditionIsTrue(status, 'Suspended');",
    replace: 'const before = seen?.suspend ?? false;',
    tests: ['controller/src/reconcile/acts.test.ts'],
  },
  {
    name: 'what was given up and ended all the same is archived as abandoned',
    breaks: 'the archive says how a transaction ended',
    file: 'controller/src/removal/abandoned.ts',
    find: 'if (found === true) return true;',
    replace: '',
    tests: ['controller/src/removal/abandoned.test.ts'],
  },
  {
    name: 'the old version is taken off although one object could not be stored',
    breaks: 'storedVersions is pruned only when every object has moved',
    file: 'controller/cli/migrate.ts',
    find: 'if (moved.failed.length > 0) return',
    replace: 'if (moved.failed.length > listed.length) return',
    tests: ['controller/cli/migrate.test.ts'],
  },
  {
    name: 'managed fields keep their version',
    breaks: 'who owned fields in the old version owns them in the new one',
    file: 'controller/cli/migrate.ts',
    find: 'isOwnedInAnother: managedFields.some((entry) => isOfAnother(entry, place))',
    replace:
      'isOwnedInAnother: managedFields.some((entry) => isOfAnother(entry, place)) && place.group === place.version',
    tests: ['controller/cli/migrate.test.ts', 'tests/crds/versions.real.test.ts'],
  },
  {
    name: 'the delete guard lets what is being confirmed pass as finished',
    breaks: 'what is unfinished is not deleted by mistake',
    file: 'crds/guards.yaml',
    find: "!(oldObject.status.phase in ['Succeeded', 'Cancelled'])\n  variables:",
    replace: "!(oldObject.status.phase in ['Confirming', 'Succeeded', 'Cancelled'])\n  variables:",
    tests: ['tests/crds/guards.real.test.ts'],
  },
];
