/**
 * How this program ends otherwise than well: a sentence for stderr and an exit code.
 *
 * 0: done. 1: it was not, or not all of it. 2: the command line is wrong, nothing was done. 130: Ctrl-C.
 */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

export class Trouble extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function usage(message: string): Trouble {
  return new Trouble(`${message}\nSee 'kubectl ordertx --help' for usage.`, EXIT_USAGE);
}
