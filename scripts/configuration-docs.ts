/**
 * Renders docs/reference/configuration.md from the settings that the processes themselves read.
 *
 * A setting's name, description and default are declared once, in its process's config.ts; this page can say nothing
 * that the code does not. What the starter of a whole system reads (`npm run up`) is not here but in the README.
 */
import { controllerSettings } from '../controller/src/config.ts';
import {
  followerSettings,
  messageSettings,
  participantSettings,
  serviceSettings,
} from '../services/kit/src/service-settings.ts';
import { notificationSettings } from '../services/notification/src/config.ts';
import { orderSettings } from '../services/order/src/config.ts';
import { paymentSettings } from '../services/payment/src/config.ts';
import { reconcileSettings } from '../services/reconcile/src/config.ts';

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

const sharedGroups: readonly Readonly<Record<string, DocumentedSetting>>[] = [
  serviceSettings,
  participantSettings,
  messageSettings,
];
const shared = new Set(sharedGroups.flatMap((group) => Object.values(group).map(({ name }) => name)));

/** What a service has of its own. */
function own(settings: Readonly<Record<string, DocumentedSetting>>): readonly DocumentedSetting[] {
  return Object.values(settings).filter(({ name }) => !shared.has(name));
}

const sections: readonly Section[] = [
  {
    title: 'Controller',
    introduction: '`node controller/src/main.ts [--allow-endpoints=ENTRY,...]`',
    settings: Object.values(controllerSettings),
  },
  {
    title: 'Every service',
    introduction: '`node scripts/run.mjs services/NAME/src/main.ts`',
    settings: Object.values(serviceSettings),
  },
  {
    title: 'Participants: order, inventory',
    introduction: 'Besides those of every service, by what they know that it is the controller who calls:',
    settings: Object.values(participantSettings),
  },
  {
    title: 'All but inventory',
    introduction: 'Besides those of every service:',
    settings: Object.values(messageSettings),
  },
  {
    title: 'Dispatch, wms, member',
    introduction: 'Besides those of every service:',
    settings: [followerSettings.shopNamespace],
  },
  { title: 'Order', introduction: 'Besides those of every participant:', settings: own(orderSettings) },
  { title: 'Payment', introduction: 'Besides those of every service:', settings: own(paymentSettings) },
  { title: 'Notification', introduction: 'Besides those of every service:', settings: own(notificationSettings) },
  {
    title: 'Reconcile',
    introduction:
      '`node scripts/run.mjs services/reconcile/src/main.ts` (see [after a restore](../operating/restore.md)):',
    settings: Object.values(reconcileSettings),
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
