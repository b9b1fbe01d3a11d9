/**
 * Values that are null: Helm takes null for a wish to have the default gone. An empty port would let everything out, a number that is not
 * there would be `<nil>` in a process's environment, and without their section there would be no network policies at all.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CHART, openHelm, over, REQUIRED, type Helm, type Values } from './chart.ts';

type Schema = {
  readonly $ref?: string;
  readonly type?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly $defs?: Readonly<Record<string, Schema>>;
};

let helm: Helm;
let defaults: Values;

beforeAll(async () => {
  helm = await openHelm();
  defaults = parse(await readFile(join(CHART, 'values.yaml'), 'utf8')) as Values;
}, 900_000);
afterAll(() => helm.close());

const isMap = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A default that is as good as none. */
const saysNothing = (value: unknown) =>
  value === '' || value === false || (typeof value === 'object' && Object.keys(value ?? {}).length === 0);

test('a default that says something cannot be taken away, but a map’s of which null is the only way to lose an entry', async () => {
  const schema = JSON.parse(await readFile(join(CHART, 'values.schema.json'), 'utf8')) as Schema;
  const definitionOf = ({ $ref, ...own }: Schema): Schema =>
    $ref === undefined ? own : { ...schema.$defs?.[$ref.replace('#/$defs/', '')], ...own };
  const mayBeNull: string[] = [];
  const visit = (given: Schema, value: Values, path: string): void => {
    const { properties = {}, required = [] } = definitionOf(given);
    for (const [name, property] of Object.entries(properties)) {
      const { type, properties: known } = definitionOf(property);
      const each = value[name];
      const isFreeMap = type === 'object' && known === undefined;
      if (name in value && !saysNothing(each) && !isFreeMap && !required.includes(name)) mayBeNull.push(path + name);
      if (isMap(each)) visit(property, each, `${path}${name}.`);
    }
  };
  visit(schema, defaults, '');
  expect(mayBeNull).toEqual([]);
});

test.each<[string, Values, RegExp]>([
  ['the network policies', { networkPolicies: null }, /at '': missing property 'networkPolicies'/],
  [
    'the ports of the API server',
    { networkPolicies: { apiServer: { ports: null } } },
    /at '\/networkPolicies\/apiServer': missing property 'ports'/,
  ],
  ['how many pods there are', { controller: { replicas: null } }, /at '\/controller': missing property 'replicas'/],
])('%s cannot be taken away', async (_, values, sentence) => {
  const refusal = await helm.text(over(REQUIRED, values)).then(() => 'it rendered', String);
  expect(refusal).toMatch(sentence);
});

test('null is as good as a default that says nothing', async () => {
  const nulled = (value: Values): Values =>
    Object.fromEntries(
      Object.entries(value).flatMap(([name, each]): [string, unknown][] => {
        if (saysNothing(each)) return [[name, null]];
        return isMap(each) ? [[name, nulled(each)]] : [];
      }),
    );
  const shown = { enabled: true, renderMode: 'alwaysRender' };
  const given = over(REQUIRED, {
    networkPolicies: { monitoring: { from: [{ podSelector: {} }] } },
    monitoring: { serviceMonitor: shown, alerts: shown, dashboards: { enabled: true } },
  });
  expect(await helm.text(over(nulled(defaults), given))).toBe(await helm.text(given));
});
