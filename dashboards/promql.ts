/**
 * What a PromQL expression asks for: its selectors, as Prometheus's own grammar reads them.
 *
 * Grafana's variables are put in before, as Grafana would: the grammar does not know `$__rate_interval`.
 */
import { parser } from '@prometheus-io/lezer-promql';

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

export interface Selector {
  /** Empty where a matcher of `__name__` stands for it. */
  readonly metric: string;
  readonly matchers: readonly Matcher[];
  /** As it stands in the brackets behind it; undefined where there is none. */
  readonly range: string | undefined;
  /** The function it is the argument of; undefined where it is of none. */
  readonly within: string | undefined;
}

/** What stands for the variables where nobody asks a server. */
const SAMPLE_RANGE = '5m';

/** Grafana's variables that stand outside of strings. */
export function withRateInterval(expr: string, range: string = SAMPLE_RANGE): string {
  return expr.replaceAll('$__rate_interval', range);
}

/** Throws a SyntaxError that names the place where it is no PromQL. */
export function selectorsOf(expr: string): readonly Selector[] {
  const selectors: Selector[] = [];
  parser.parse(expr).iterate({
    enter(node) {
      if (node.type.isError) throw new SyntaxError(`no PromQL at character ${node.from}: ${expr}`);
      if (node.name === 'VectorSelector') selectors.push(selectorAt(node.node, expr));
    },
  });
  return selectors;
}

/** Labels that its aggregations and joins name. */
export function groupedBy(expr: string): readonly string[] {
  const labels: string[] = [];
  parser.parse(expr).iterate({
    enter(node) {
      if (node.name === 'LabelName' && node.node.parent?.name === 'GroupingLabels')
        labels.push(expr.slice(node.from, node.to));
    },
  });
  return labels;
}

function selectorAt(node: SyntaxNode, expr: string): Selector {
  const text = (of: SyntaxNode | null): string => (of === null ? '' : expr.slice(of.from, of.to));
  const matrix = node.parent?.name === 'MatrixSelector' ? node.parent : undefined;
  const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
  return {
    metric: text(node.getChild('Identifier')),
    matchers: matchers.map((matcher) => ({
      label: text(matcher.getChild('LabelName')),
      operator: text(matcher.getChild('MatchOp')),
      value: text(matcher.getChild('StringLiteral')).slice(1, -1),
    })),
    range: matrix === undefined ? undefined : text(matrix.getChild('DurationExpr')),
    within: callAround(matrix ?? node, text),
  };
}

function callAround(node: SyntaxNode, text: (of: SyntaxNode | null) => string): string | undefined {
  const call = node.parent?.name === 'FunctionCallBody' ? node.parent.parent : undefined;
  return call?.name === 'FunctionCall' ? text(call.getChild('FunctionIdentifier')) : undefined;
}
