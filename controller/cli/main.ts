/**
 * kubectl-ordertx: transactions from the side of who is on call. The only place here where its parts are built and put together.
 *
 * It is bundled into one file (scripts/build-cli.ts), which a few lines of old JavaScript precede: they say which Node it needs.
 */
import { Command, CommanderError } from 'commander';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { namespaceOf } from '../src/kubernetes/credentials.ts';
import { loadPersonsConfig } from '../src/kubernetes/people-config.ts';
import { HttpTransport } from '../src/kubernetes/transport.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { RemoteClock } from '../src/runtime/remote-clock.ts';
import { Api } from './api.ts';
import { ArchiveReader } from './archive-reader.ts';
import { complete } from './completion.ts';
import { readEnvironment, type Environment } from './config.ts';
import { ControllerPorts } from './controller-ports.ts';
import { parseDurationMs } from './durations.ts';
import { addKubectlFlags, type KubectlFlags } from './kubectl-flags.ts';
import { parseFormat, renderAs } from './output/format.ts';
import type { Session } from './session.ts';
import { Terminal } from './terminal.ts';
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, Trouble, usage } from './trouble.ts';
import type { Run } from './verb.ts';
import { addAbandon } from './verbs/abandon.ts';
import { addCancel } from './verbs/cancel.ts';
import { addCheck } from './verbs/check.ts';
import { addDescribe } from './verbs/describe.ts';
import { addFlows } from './verbs/flows.ts';
import { addHold, addRelease } from './verbs/hold.ts';
import { addIncidents } from './verbs/incidents.ts';
import { addList } from './verbs/list.ts';
import { addMigrate } from './verbs/migrate.ts';
import { addReport } from './verbs/report.ts';
import { addResume } from './verbs/resume.ts';
import { addRetry } from './verbs/retry.ts';
import { addSettle } from './verbs/settle.ts';
import { addSuspend } from './verbs/suspend.ts';
import { addTop } from './verbs/top.ts';
import { addVersion } from './verbs/version.ts';

/** As long as kubectl's users are used to wait before they doubt the network. */
const REQUEST_TIMEOUT = '30s';
/** The name that kubectl looks for when its user presses the tab key; nobody waits long for that. */
const COMPLETER = 'kubectl_complete-ordertx';
const COMPLETION_TIMEOUT = '3s';
/** What `| head` does to everything else in a pipe: 128 and SIGPIPE. */
const EXIT_PIPE_CLOSED = 141;
/** Until a second Ctrl-C is not needed any more: what is under way at the API server is waited for so long. */
const INTERRUPTED_ENDS_MS = 2_000;

const environment = readEnvironment();
const stopping = new AbortController();
const terminal = new Terminal(process, environment.noColor, stopping.signal);

process.stdout.on('error', endQuietly);
process.stderr.on('error', endQuietly);
process.on('SIGINT', () => {
  if (stopping.signal.aborted) process.exit(EXIT_INTERRUPTED);
  process.exitCode = EXIT_INTERRUPTED;
  stopping.abort();
  setTimeout(() => process.exit(EXIT_INTERRUPTED), INTERRUPTED_ENDS_MS).unref();
});

const program = new Command('kubectl ordertx')
  .description('Transactions from the side of who is on call: what is wrong, why, and what to do about it.')
  .helpCommand(true)
  .showSuggestionAfterError()
  .exitOverride();
addKubectlFlags(program);
const READING = [addIncidents, addTop, addList, addDescribe, addFlows];
const ACTING = [addRetry, addSuspend, addResume, addCancel, addSettle, addAbandon, addHold, addRelease];
for (const add of [...READING, ...ACTING, addCheck, addReport, addMigrate, addVersion]) add(program, run);
// What goes wrong in a verb's own arguments ends like everything else.
for (const command of program.commands) command.exitOverride();

// No await: the bundle is a script, which has none at its top.
const [, called = '', ...words] = process.argv;
if (basename(called) === COMPLETER) void printCompletion(words);
else {
  program.parseAsync(process.argv).catch((error: unknown) => {
    process.exitCode = exitCodeOf(error);
  });
}

/** A session by what has been typed so far, as far as it can be read. */
async function printCompletion(typed: readonly string[]): Promise<void> {
  let opened: Opened | undefined;
  const open = (): Session => {
    program.parseOptions([...typed.slice(0, -1)]);
    opened ??= openSession({ ...program.opts<KubectlFlags>(), requestTimeout: COMPLETION_TIMEOUT }, environment);
    return opened.session;
  };
  await terminal.print(await complete(program, typed, open));
  await opened?.close();
}

async function run(...[command, verb]: Parameters<Run>): Promise<void> {
  const session = openSession(command.optsWithGlobals<KubectlFlags>(), environment);
  try {
    const code = await verb(session.session);
    if (typeof code === 'number' && code !== 0) process.exitCode ??= code;
  } finally {
    await session.close();
  }
}

interface Opened {
  readonly session: Session;
  readonly close: () => Promise<void>;
}

/** Nothing is read or connected to before a verb asks for it: `version --client` works without a kubeconfig. */
function openSession(flags: KubectlFlags, { archiveDatabaseUrl, controllerUrl }: Environment): Opened {
  const format = parseFormat(flags.output);
  const timeoutMs = parseDurationMs(flags.requestTimeout ?? REQUEST_TIMEOUT, '--request-timeout');
  const archive = new ArchiveReader(flags.archiveDatabaseUrl ?? archiveDatabaseUrl);
  const apiClock = new RemoteClock(systemClock);
  let connected: Connected | undefined;
  // A time limit of 0 is none, as with kubectl.
  const connection = (): Connected =>
    (connected ??= connect(flags, timeoutMs === 0 ? NO_LIMIT_MS : timeoutMs, apiClock));
  const session: Session = {
    get api() {
      return connection().api;
    },
    get namespace() {
      return flags.allNamespaces === true ? undefined : (flags.namespace ?? connection().namespace);
    },
    get controllers() {
      return new ControllerPorts(flags.controller ?? controllerUrl, connection().api);
    },
    selectors: { fieldSelector: flags.fieldSelector, labelSelector: flags.selector },
    format,
    isWithHeads: flags.headers,
    terminal,
    archive,
    // Ages, deadlines and Leases are by the API server's clock, and this one may be wrong: `--older-than` would mean others.
    now: () => apiClock.now(),
    stopping: stopping.signal,
    render: (rendered) => terminal.print(renderAs(format, rendered)),
  };
  return {
    session,
    async close() {
      await Promise.all([connected?.transport.close(), archive.close()]);
    },
  };
}

interface Connected {
  readonly transport: HttpTransport;
  readonly api: Api;
  /** The context's own. */
  readonly namespace: string;
}

function connect(flags: KubectlFlags, timeoutMs: number, apiClock: RemoteClock): Connected {
  const kubeConfig = configOf(flags);
  const transport = new HttpTransport({
    kubeConfig,
    userAgent: `kubectl-ordertx/${manifest.version}`,
    onDated: (answer) => apiClock.heard(answer),
    ...(flags.asGroup !== undefined && { headers: { 'Impersonate-Group': flags.asGroup } }),
  });
  const api = new Api(transport, timeoutMs, stopping.signal, flags.as);
  return { transport, api, namespace: namespaceOf(kubeConfig) };
}

/** The longest that a timer takes. */
const NO_LIMIT_MS = 2 ** 31 - 1;

function configOf(flags: KubectlFlags) {
  if (flags.asGroup !== undefined && flags.as === undefined) throw usage('--as-group needs --as');
  const { kubeconfigs, home = homedir(), isInPod } = environment;
  try {
    return loadPersonsConfig({
      path: flags.kubeconfig,
      paths: kubeconfigs.length > 0 ? kubeconfigs : [join(home, '.kube', 'config')],
      isInPod,
      context: flags.context,
      cluster: flags.cluster,
      user: flags.user,
      impersonatedUser: flags.as,
    });
  } catch (error) {
    throw new Trouble(error instanceof Error ? error.message : String(error));
  }
}

/** commander has said what is wrong with the command line; whatever else is thrown and is no Trouble is a fault of ours. */
function exitCodeOf(error: unknown): number {
  if (stopping.signal.aborted) return EXIT_INTERRUPTED;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof Trouble) {
    terminal.say(`error: ${error.message}`);
    return error.exitCode;
  }
  terminal.say(
    `error: this is a fault of kubectl-ordertx ${manifest.version}, please report it:\n${String((error as Error).stack ?? error)}`,
  );
  return EXIT_FAILED;
}

function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT_PIPE_CLOSED);
  throw error;
}
