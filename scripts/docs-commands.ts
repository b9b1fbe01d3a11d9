/**
 * Finds the commands in a Markdown document: what a reader would type, in the order they would type it.
 *
 * Every fenced block marked sh, bash or console counts. In a console block the lines behind `$ ` are commands (`> `
 * goes on with one) and the rest is what they print. A command may take several lines; bash itself says where it ends.
 * A comment before a block holds for every command in it and is invisible to readers:
 *
 *   <!-- docs-check: skip, needs a cluster -->     not run, and why not
 *   <!-- docs-check: deadline 60 s -->             instead of DEADLINE_SECONDS
 *   <!-- docs-check: fails -->                     the page shows a refusal: the exit code must not be 0
 */
import { spawnSync } from 'node:child_process';

/** A first `npm run demo` on a slow machine builds the control plane, which takes minutes; nothing takes longer. */
export const DEADLINE_SECONDS = 1_200;

export interface Command {
  readonly text: string;
  /** Of the command's first line, from 1. */
  readonly line: number;
  readonly deadlineSeconds: number;
  readonly ends: 'well' | 'badly';
  /** Why the command is not run. */
  readonly skip?: string;
}

interface Line {
  readonly text: string;
  readonly line: number;
}

interface Block {
  readonly language: 'shell' | 'console';
  readonly marker: string | undefined;
  readonly lines: readonly Line[];
}

/** Throws on a marker it does not know: a misspelt one would silently run what must not be run. */
export function commandsOf(markdown: string): readonly Command[] {
  return blocksOf(markdown).flatMap((block) => {
    const conditions = conditionsOf(block.marker);
    return split(typed(block)).map((command) => ({ ...command, ...conditions }));
  });
}

function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  let marker: string | undefined;
  let open: { fence: string; language: string; lines: Line[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    if (open) {
      if (text.trim() !== open.fence) {
        open.lines.push({ text, line: index + 1 });
        continue;
      }
      if (/^(sh|bash|console)$/.test(open.language)) {
        blocks.push({ language: open.language === 'console' ? 'console' : 'shell', marker, lines: open.lines });
      }
      open = marker = undefined;
      continue;
    }
    const [, fence, language] = /^\s*(`{3,}|~{3,})\s*(\w*)/.exec(text) ?? [];
    if (fence !== undefined) open = { fence, language: language ?? '', lines: [] };
    else if (text.trim() !== '') marker = /^<!-- docs-check: (.*) -->$/.exec(text.trim())?.[1];
  }
  return blocks;
}

function conditionsOf(marker: string | undefined): Pick<Command, 'deadlineSeconds' | 'ends' | 'skip'> {
  const usual = { deadlineSeconds: DEADLINE_SECONDS, ends: 'well' } as const;
  if (marker === undefined) return usual;
  const [, skip] = /^skip, (.+)$/.exec(marker) ?? [];
  if (skip !== undefined) return { ...usual, skip };
  const [, seconds] = /^deadline (\d+) s$/.exec(marker) ?? [];
  if (seconds !== undefined) return { ...usual, deadlineSeconds: Number(seconds) };
  if (marker === 'fails') return { ...usual, ends: 'badly' };
  throw new Error(`"docs-check: ${marker}" is none of: "skip, WHY", "deadline N s", "fails"`);
}

/** What a reader types of a block: all of a shell block, the prompts' lines of a console block. */
function typed(block: Block): readonly Line[] {
  if (block.language === 'shell') return block.lines;
  return block.lines.filter(({ text }) => /^[$>] /.test(text)).map(({ text, line }) => ({ text: text.slice(2), line }));
}

function split(lines: readonly Line[]): readonly Line[] {
  const commands: Line[] = [];
  let pending: Line | undefined;
  for (const { text, line } of lines) {
    if (!pending && /^\s*(#.*)?$/.test(text)) continue;
    pending = pending ? { text: `${pending.text}\n${text}`, line: pending.line } : { text: text.trimStart(), line };
    if (isWhole(pending.text)) {
      commands.push(pending);
      pending = undefined;
    }
  }
  // What never becomes whole is a mistake in the document; bash names it when it is run.
  return pending ? [...commands, pending] : commands;
}

/** Bash parses without running; an open here-document is only a warning, hence the look at stderr. */
function isWhole(text: string): boolean {
  if (/(^|[^\\])(\\\\)*\\$/.test(text)) return false;
  const { status, stderr } = spawnSync('bash', ['-n'], { input: `${text}\n`, encoding: 'utf8' });
  return status === 0 && stderr === '';
}
