/**
 * Who is on call: types what the pages in docs/operating/ say, at a shell, with kubectl and its plugin on the PATH, and reads what is printed.
 */
import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buildCli } from '../../../scripts/build-cli.ts';
import { pageCommands, runAsWritten, type CommandRun } from '../../world/page-commands.ts';

/** A row of `kubectl ordertx incidents`. */
export interface Row {
  readonly id: string;
  readonly flow: string;
  readonly target: string;
  readonly operation: string;
  readonly sentence: string;
  readonly count: number;
  readonly stuck: number;
  readonly nextStep: string;
  readonly transactions: readonly string[];
}

const PLUGIN_PAGE = 'docs/operating/plugin.md';
/** As the pages write them. */
const [PAGE_INCIDENT, PAGE_TRANSACTION] = ['3fa9c2d1', 'create-o1001'];
/** Nobody is there who could be asked; and a thousand are not to take a minute. */
const UNASKED = '--yes --rate 200';

export class OnCall {
  readonly #run: CommandRun;
  readonly #print: (text: string) => void;

  private constructor(run: CommandRun, print: (text: string) => void) {
    this.#run = run;
    this.#print = print;
  }

  /** @param folder where the plugin is built */
  static async arrive(
    { kubectl, kubeconfig }: { readonly kubectl: string; readonly kubeconfig: string },
    { folder, controllerUrl, print }: { folder: string; controllerUrl: string; print: (text: string) => void },
  ): Promise<OnCall> {
    const program = await buildCli(join(folder, 'plugin'));
    await symlink(program, join(dirname(program), 'kubectl_complete-ordertx'));
    const env = { KUBECONFIG: kubeconfig, HOME: folder, ORDERTX_CONTROLLER_URL: controllerUrl };
    return new OnCall({ kubectl, env, plugins: dirname(program) }, print);
  }

  /** What is wrong, as a table for people and as rows for us; they are of two moments. */
  async incidents(): Promise<readonly Row[]> {
    await this.type(this.#pluginCommand('incidents'));
    return this.rows();
  }

  async rows(): Promise<readonly Row[]> {
    const { stdout } = await runAsWritten('kubectl ordertx incidents -o json', this.#run);
    return (JSON.parse(stdout) as { readonly items: readonly Row[] }).items;
  }

  /** One of those that suffer. */
  async describe({ transactions: [name = ''] }: Row): Promise<string> {
    return this.type(this.#pluginCommand('describe'), { [PAGE_TRANSACTION]: name });
  }

  /** All of an incident: rejects where one of them still fails. */
  async retry({ id }: Row): Promise<string> {
    return this.type(`${this.#pluginCommand('retry --incident')} ${UNASKED}`, { [PAGE_INCIDENT]: id });
  }

  /** The page's own line that begins so. */
  #pluginCommand(verb: string): string {
    const found = pageCommands(PLUGIN_PAGE).find((command) => command.startsWith(`kubectl ordertx ${verb}`));
    if (found === undefined) throw new Error(`${PLUGIN_PAGE} has no command \`kubectl ordertx ${verb}\` any more`);
    return found;
  }

  /** Types it, shows it and what it printed; rejects with both where it ends with an error. */
  async type(command: string, names: Readonly<Record<string, string>> = {}): Promise<string> {
    const line = Object.entries(names).reduce((text, [from, to]) => text.replaceAll(from, to), command);
    try {
      const { stdout, stderr } = await runAsWritten(line, this.#run);
      this.#print(`$ ${line}\n${stdout}${stderr}`);
      return stdout;
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
      this.#print(`$ ${line}\n${stdout}${stderr}`);
      throw new Error(
        `the documented command does not mend it: \`${line}\` ended with an error; ${lastLines(stdout + stderr)}`,
        { cause: error },
      );
    }
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-5).join(' | ');
}
