/**
 * RFC 9457 problem documents, and the codes with which a participant refuses.
 *
 * A 409 of the fence always carries one of these codes and a `detail` that a customer-service person understands; it is the same
 * sentence on every repeat.
 */
import { z } from 'zod';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export const PROBLEM_CODES = [
  /** A business no, stored for good. Also the answer to a confirm of a branch that had refused. */
  'refused',
  /** A confirm came for a branch that was never tried here: an alarm. */
  'no-try',
  /** A cancel came after the confirm: an alarm. */
  'already-confirmed',
  /** A confirm came after the cancel: an alarm. */
  'already-cancelled',
  /** A try came after the cancel, so it must reserve nothing any more. */
  'cancelled',
  /** The same transaction and branch came with another payload than the first time. */
  'payload-mismatch',
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export function isProblemCode(text: string): text is ProblemCode {
  return (PROBLEM_CODES as readonly string[]).includes(text);
}

/** The members this system reads and writes; others may be present (RFC 9457, section 3.2). */
export const problemSchema = z
  .looseObject({
    type: z
      .string()
      .optional()
      .describe('A URI that names the kind of problem; about:blank when the status says it all'),
    title: z.string().describe('The kind of problem, the same for every occurrence'),
    status: z.int().min(400).max(599).describe('The HTTP status'),
    detail: z.string().optional().describe('What was wrong this time, and what to do'),
    code: z.string().optional().describe('What programs tell problems apart by'),
  })
  .describe('RFC 9457 problem details');
export type Problem = z.infer<typeof problemSchema>;
