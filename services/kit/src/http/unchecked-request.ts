/**
 * What is known of a request before anything of it has been checked: enough to judge a signature.
 */
import type { Log } from '../log.ts';

export interface UncheckedRequest {
  /** As they stand in the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The body as it came; '' without one. */
  readonly rawBody: string;
  readonly header: (name: string) => string | undefined;
  readonly log: Log;
}
