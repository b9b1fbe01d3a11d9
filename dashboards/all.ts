/**
 * All boards, and the files that the chart provisions.
 */
import { archive } from './archive.ts';
import { dashboardOf, type Board } from './board.ts';
import { controller } from './controller.ts';
import { messages } from './messages.ts';
import { overview } from './overview.ts';
import { participants } from './participants.ts';
import { stuck } from './stuck.ts';

export const BOARDS: readonly Board[] = [overview, stuck, participants, messages, controller, archive];

/** Where the chart looks for them, from the repository's root. */
export const DASHBOARDS_FOLDER = 'helm/ordertx/files/dashboards';

export function renderDashboards(): readonly { readonly path: string; readonly text: string }[] {
  return BOARDS.map((board) => ({
    path: `${DASHBOARDS_FOLDER}/${board.uid}.json`,
    text: `${JSON.stringify(dashboardOf(board), null, 2)}\n`,
  }));
}
