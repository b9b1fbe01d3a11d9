/**
 * Renders docs/reference/configuration.md from the settings that the processes themselves read.
 *
 * A setting's name, description and default are declared once, in its process's config.ts; this page can say nothing
 * that the code does not. What the starter of a whole system reads (`npm run up`) is not here but in the README.
 */
import { controllerSettings } from '../controller/src/config.ts';
import { serviceSettings } from '../services/kit/src/service-settings.ts';
import { orderSettings } from '../services/order/src/config.ts';

/** The part of a declared setting that readers need; how its text is checked stays with its owner. */
export interface DocumentedSetting {
  readonly name: string;
  readonly description: string;
  readonly default?: string;
  readonly optional?: boolean;
  readonly secret?: boolean;
}

export interface Section {
  readonly title: string;
  readonly introduction: string;
  readonly settings: readonly DocumentedSetting[];
}

const inEveryService = new Set<string>(Object.values(serviceSettings).map(({ name }) => name));

const sections: readonly Section[] = [
  {
    title: 'Controller',
    introduction: '`node controller/src/main.ts [--allow-endpoints=ENTRY,...]`',
    settings: Object.values(controllerSettings),
  },
  {
    title: 'Every service',
    introduction: '`node services/NAME/src/main.ts`',
    settings: Object.values(serviceSettings),
  },
  {
    title: 'Order service',
    introduction: 'Besides those of every service:',
    settings: Object.values(orderSettings).filter(({ name }) => !inEveryService.has(name)),
  },
];

export function renderConfiguration(from: readonly Section[] = sections): string {
  const header = `<!-- Generated from each process's config.ts by scripts/configuration-docs.ts: change that, then \`npm run generate\`. -->

# Configuration

Every process is set up by environment variables. They are read once, at the start: a process that finds bad ones names
all of them, says what to do, and exits with code 2. An empty variable counts as one that is not set.
`;
  return [header, ...from.map(renderSection)].join('\n');
}

function renderSection({ title, introduction, settings }: Section): string {
  const rows = settings.map((setting) => `| \`${setting.name}\` | ${presence(setting)} | ${cell(describe(setting))} |`);
  return `## ${title}\n\n${introduction}\n\n| variable | default | what it does |\n|---|---|---|\n${rows.join('\n')}\n`;
}

function presence(setting: DocumentedSetting): string {
  if (setting.default !== undefined) return setting.default === '' ? 'empty' : `\`${cell(setting.default)}\``;
  return setting.optional ? 'not set' : '**required**';
}

function describe(setting: DocumentedSetting): string {
  return setting.secret ? `${setting.description} Secret: never printed.` : setting.description;
}

/** A table's cell ends at a bar and at a line's end, and \`<name>\` would be taken for HTML. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
}
