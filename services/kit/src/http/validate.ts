/**
 * Checks what came in against a schema and says what is wrong with it, by the field's name.
 */
import type { z, ZodType } from 'zod';
import { inexactNumberIn, fieldNestedDeeper, NESTING_MAX } from '../../../protocol/src/index.ts';
import { problem } from './problem.ts';
import type { Reply } from './reply.ts';

/** More would not help anyone, and a hostile body could have thousands. */
const ISSUES_MAX = 5;
/** Names come from the caller; longer ones are cut. */
const FIELD_CHARS_MAX = 100;
/** They also end up in log lines and database rows; Postgres, for one, takes no NUL. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

export interface FieldIssue {
  /** `lines[0].quantity`; empty for the whole. */
  readonly field: string;
  readonly message: string;
}

export type Validated<T> =
  { readonly kind: 'valid'; readonly value: T } | { readonly kind: 'invalid'; readonly issues: readonly FieldIssue[] };

export function validate<T>(schema: ZodType<T>, value: unknown): Validated<T> {
  const result = schema.safeParse(value);
  if (result.success) return { kind: 'valid', value: result.data };
  return {
    kind: 'invalid',
    issues: result.error.issues.slice(0, ISSUES_MAX).flatMap(fieldIssues).slice(0, ISSUES_MAX),
  };
}

/** What is stored, compared and charged must be what was sent, to the last digit: a number that cannot be, by its field. */
export function inexactIssue(text: string): FieldIssue | undefined {
  const number = inexactNumberIn(text);
  if (number === undefined) return undefined;
  const { field, written } = number;
  return { field: cut(field), message: `the number ${written} cannot be kept digit by digit; send it as a string` };
}

/** What the text of valid JSON is not read with, however much of it may pass a schema. `within`: the levels around the payload itself. */
export function nestingIssue(text: string, { within = 0 }: { readonly within?: number } = {}): FieldIssue | undefined {
  const max = NESTING_MAX + within;
  const field = fieldNestedDeeper(text, max);
  return field === undefined ? undefined : { field, message: `is nested more than ${max} levels deep` };
}

/** `lines[0].quantity: Too small: expected number to be >=1; userId: ...`; `within` stands before every field's name. */
export function describeIssues(issues: readonly FieldIssue[], whole: string, within = ''): string {
  return issues.map(({ field, message }) => `${field === '' ? whole : within + field}: ${message}`).join('; ');
}

/** 400, naming every field that is wrong. `whole` is what the fields belong to: "body", "query". */
export function validationProblem(issues: readonly FieldIssue[], whole: string): Reply {
  return problem(400, {
    title: 'Invalid Request',
    detail: describeIssues(issues, whole),
    extra: { errors: issues.map(({ field, message }) => ({ field: field === '' ? whole : field, message })) },
  });
}

function fieldIssues(issue: z.core.$ZodIssue): FieldIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: fieldName([...issue.path, key]),
      message: 'is not a known field; leave it out',
    }));
  }
  return [{ field: fieldName(issue.path), message: issue.message }];
}

function fieldName(path: readonly PropertyKey[]): string {
  return cut(
    path
      .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`))
      .join(''),
  );
}

function cut(field: string): string {
  const name = field.replaceAll(UNPRINTABLE, '\u{FFFD}');
  return name.length > FIELD_CHARS_MAX ? `${name.slice(0, FIELD_CHARS_MAX)}...` : name;
}
