/**
 * /openapi.json (OpenAPI 3.1), built from the declared routes.
 */
import { z, type ZodType } from 'zod';
import { PROBLEM_MEDIA_TYPE, problemSchema } from '../../../protocol/src/index.ts';
import type { RouteDocument } from './route.ts';

type JsonObject = Record<string, unknown>;

export function openApiDocument(title: string, version: string, routes: readonly RouteDocument[]): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title, version },
    paths,
    components: { schemas: { Problem: jsonSchema(problemSchema, 'output') } },
  };
}

function operation(route: RouteDocument): JsonObject {
  const responses = Object.fromEntries(
    Object.entries(route.responses).map(([status, { description, schema }]) => [
      status,
      { description, ...content(Number(status) >= 400 ? undefined : schema, Number(status)) },
    ]),
  );
  return {
    summary: route.summary,
    // Served at ADMIN_PORT alone, where that is set.
    ...(route.admin === true && { 'x-ordertx-admin': true }),
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query'), ...headerParameters(route)],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: route.bodyOptional !== true,
            content: { 'application/json': { schema: jsonSchema(route.body, 'input') } },
          },
        }),
    responses: { ...responses, default: { description: 'Any other problem', ...content(undefined, 500) } },
  };
}

function content(schema: ZodType | undefined, status: number): JsonObject {
  if (status >= 400) return { content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } } };
  return schema === undefined ? {} : { content: { 'application/json': { schema: jsonSchema(schema, 'output') } } };
}

function parameters(schema: ZodType | undefined, place: 'path' | 'query'): JsonObject[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    properties?: JsonObject;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}

function headerParameters(route: RouteDocument): JsonObject[] {
  return Object.entries(route.headers ?? {}).map(([name, { description, required, pattern }]) => ({
    name,
    in: 'header',
    required: required ?? false,
    description,
    schema: { type: 'string', ...(pattern !== undefined && { pattern: pattern.source }) },
  }));
}

function jsonSchema(schema: ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
