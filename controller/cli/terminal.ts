/**
 * Where people read and type: what may be coloured, asked and redrawn depends on whether there is a terminal at all.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';

export type Style = 'bold' | 'red' | 'yellow' | 'green';

const CODES: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
};

export interface Streams {
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
}

/** Of a terminal that does not say: the smallest that there ever was. */
const ROWS_DEFAULT = 24;

export class Terminal {
  readonly #streams: Streams;
  readonly #isColoured: boolean;
  readonly #stopping: AbortSignal;

  constructor(streams: Streams, noColor: boolean, stopping: AbortSignal) {
    this.#streams = streams;
    this.#isColoured = streams.stdout.isTTY && !noColor;
    this.#stopping = stopping;
  }

  /** Whether somebody sees what is printed, at once. */
  get isShown(): boolean {
    return this.#streams.stdout.isTTY;
  }

  /** How many lines fit. */
  get rows(): number {
    return this.#streams.stdout.rows || ROWS_DEFAULT;
  }

  /** What begins the screen anew. */
  get cleared(): string {
    return this.isShown ? '\u001b[H\u001b[2J' : '';
  }

  /** Whether there is somebody to ask. */
  get canAsk(): boolean {
    return this.#streams.stdin.isTTY;
  }

  /** Results. Resolves once it may go on: a slow reader is waited for. */
  async print(text: string): Promise<void> {
    if (text !== '' && !this.#streams.stdout.write(text)) await once(this.#streams.stdout, 'drain');
  }

  /** What is said beside the results: progress, warnings, questions. */
  say(text: string): void {
    this.#streams.stderr.write(`${text}\n`);
  }

  paint(style: Style, text: string): string {
    const [on, off] = CODES[style];
    return this.#isColoured ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  }

  /** @returns whether the answer was yes; no answer is none */
  async confirms(question: string): Promise<boolean> {
    const { stdin: input, stderr: output } = this.#streams;
    const reader = createInterface({ input, output, terminal: false });
    try {
      output.write(`${question} [y/N] `);
      const answer = new Promise<string>((resolve) => {
        reader.once('line', resolve);
        reader.once('close', () => resolve(''));
        this.#stopping.addEventListener('abort', () => resolve(''), { once: true });
      });
      return /^y(es)?$/i.test((await answer).trim());
    } finally {
      reader.close();
      input.pause();
    }
  }
}
