/** A file that is derived from others, and how. */
export interface Generator {
  /** The generated file, from the repository's root. */
  readonly path: string;
  render(): string | Promise<string>;
}
