/**
 * What a test wants of rendered objects: one by its name, and what a process in it is given.
 */
import { expect } from '@jest/globals';
import type { Rendered } from './chart.ts';

export function named(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (!found)
    throw new Error(`no ${kind} ${name} among ${objects.map((o) => `${o.kind} ${o.metadata.name}`).join(', ')}`);
  return found;
}

/** What is in a secret. */
export function secretOf(objects: readonly Rendered[], name: string): Readonly<Record<string, string>> {
  const { data } = named(objects, 'Secret', name) as unknown as { readonly data: Readonly<Record<string, string>> };
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}

type Entry = { readonly name: string; readonly value?: string; readonly valueFrom?: unknown };
export type Container = {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env: readonly Entry[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
};
export type Workload = {
  readonly spec: {
    readonly replicas: number;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: { readonly spec: PodSpec };
  };
};
export type PodSpec = {
  readonly containers: readonly [Container];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
};

export const pod = (objects: readonly Rendered[], name: string): PodSpec =>
  (named(objects, 'Deployment', name) as unknown as Workload).spec.template.spec;

export const container = (objects: readonly Rendered[], name: string): Container => pod(objects, name).containers[0];

/** Of the container that serves; each variable once. */
export const environment = (objects: readonly Rendered[], name: string) => environmentOf(container(objects, name));

export function environmentOf({ env }: Container): Readonly<Record<string, unknown>> {
  expect(new Set(env.map((entry) => entry.name)).size).toBe(env.length);
  return Object.fromEntries(env.map(({ name: variable, value, valueFrom }) => [variable, value ?? valueFrom]));
}
