/**
 * What a service says of itself in /openapi.json: all that the fuzz run knows of its routes.
 */
import { z, type ZodType } from 'zod';

/** The keywords that zod emits for our schemas. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

interface Content {
  readonly schema: JsonSchema & { readonly $ref?: string };
}

interface OperationDocument {
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Content>> }>>;
}

interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationDocument>>>>;
  readonly components: { readonly schemas: { readonly Problem: JsonSchema } };
}

export interface Operation {
  /** `POST /orders/{orderId}/withdraw` */
  readonly title: string;
  readonly method: string;
  readonly path: string;
  /** Every method of this path. */
  readonly methods: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly body: JsonSchema | undefined;
  readonly bodyRequired: boolean;
  /** Undefined where there is no body, or no schema of it. */
  readonly responses: ReadonlyMap<number, ZodType | undefined>;
  /** Of the participant protocol: recognised by its headers. */
  readonly participant: boolean;
  readonly problem: ZodType;
}

export async function readOperations(url: string): Promise<readonly Operation[]> {
  const answer = await fetch(`${url}/openapi.json`);
  const { paths, components } = (await answer.json()) as OpenApiDocument;
  const problem = checker(components.schemas.Problem);
  return Object.entries(paths).flatMap(([path, operations]) => {
    const methods = Object.keys(operations).map((method) => method.toUpperCase());
    return Object.entries(operations).map(([method, document]) => ({
      title: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      ...{ path, methods, problem },
      parameters: document.parameters,
      body: document.requestBody?.content['application/json']?.schema,
      bodyRequired: document.requestBody?.required === true,
      responses: responsesOf(document),
      participant: document.parameters.some(({ name }) => name.toLowerCase() === 'ordertx-transaction'),
    }));
  });
}

/** Problems have one schema everywhere, and are looked at by themselves. */
function responsesOf({ responses }: OperationDocument): ReadonlyMap<number, ZodType | undefined> {
  const declared = Object.entries(responses).filter(([status]) => status !== 'default');
  return new Map(
    declared.map(([status, { content }]) => {
      const schema = content?.['application/json']?.schema;
      return [Number(status), schema === undefined ? undefined : checker(schema)];
    }),
  );
}

export function checker(schema: JsonSchema): ZodType {
  return z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
}
