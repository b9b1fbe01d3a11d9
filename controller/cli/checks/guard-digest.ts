/**
 * Whether a guard is the one that this plugin came with: a digest of all that it says, without what the API server fills in.
 */
import { createHash } from 'node:crypto';

interface Expression {
  readonly name?: string;
  readonly expression: string;
  readonly message?: string;
  readonly messageExpression?: string;
}

export interface GuardSpec {
  readonly failurePolicy?: string;
  readonly matchConditions?: readonly Expression[];
  readonly variables?: readonly Expression[];
  readonly validations?: readonly Expression[];
  readonly mutations?: readonly { readonly jsonPatch?: Expression }[];
}

const DIGEST_CHARS = 16;

export function guardDigest({
  failurePolicy,
  matchConditions = [],
  variables = [],
  validations = [],
  mutations = [],
}: GuardSpec): string {
  const patches = mutations.flatMap(({ jsonPatch }) => (jsonPatch === undefined ? [] : [jsonPatch]));
  const said = [matchConditions, variables, validations, ...(patches.length > 0 ? [patches] : [])].map((expressions) =>
    expressions.map(({ name, expression, message, messageExpression }) => [
      name ?? '',
      expression,
      message ?? '',
      messageExpression ?? '',
    ]),
  );
  const text = JSON.stringify([failurePolicy, said]);
  return createHash('sha256').update(text).digest('hex').slice(0, DIGEST_CHARS);
}
