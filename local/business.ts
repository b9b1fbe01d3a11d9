/**
 * The business part of the system: services and controllers with their databases, rights and flows, on a control plane,
 * a Postgres and a Redis that exist already. `up` runs one; a test may run its own in a namespace of its own.
 *
 * Callers are checked: the controller's tokens are verified against the key set that the controllers serve.
 */
import { grantAccess, type Access } from './access.ts';
import type { Cluster } from './cluster.ts';
import { startController, type RunningController } from './controllers.ts';
import { applyFlows } from './flows.ts';
import { freePort } from './ports.ts';
import { createDatabase } from './postgres.ts';
import type { ProcessGroup } from './process-group.ts';
import { SERVICES, startService, type RunningService, type ServiceName, type ServiceOptions } from './services.ts';

export type BusinessOptions = {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** Superuser, database `postgres`; each service gets a database `<databasePrefix><service>` in it. */
  readonly postgresUrl: string;
  readonly databasePrefix: string;
  readonly redisUrl: string;
  readonly controllers: number;
  /** Added to every controller's environment. */
  readonly controllerEnv?: Readonly<Record<string, string>>;
  /** Added to the environment of the services named. */
  readonly serviceEnv?: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>>;
};

export type Business = {
  readonly services: Readonly<Record<ServiceName, RunningService>>;
  readonly controllers: readonly RunningController[];
};

export async function startBusiness(group: ProcessGroup, options: BusinessOptions): Promise<Business> {
  const { cluster, namespace } = options;
  const access = await grantAccess(cluster, namespace, group.folder);
  const servicePorts = await Promise.all(SERVICES.map(async ({ name }) => [name, await freePort()] as const));
  const origins = originsOf(servicePorts);
  await applyFlows(cluster, namespace, origins);

  const controllerPorts = await Promise.all(Array.from({ length: options.controllers }, freePort));
  const jwksUrl = controllerPorts.map((port) => `http://127.0.0.1:${port}/jwks`).join(',');
  const services = Promise.all(
    servicePorts.map(
      async ([name, port]) => [name, await service(group, options, access, { name, port, origins, jwksUrl })] as const,
    ),
  );
  const controllers = Promise.all(
    controllerPorts.map((port, index) =>
      startController(group, {
        ...{ name: `controller-${index + 1}`, port, redisUrl: options.redisUrl, namespaces: [namespace] },
        ...{ kubeconfig: access.controllerKubeconfig, serviceAccount: access.controllerAccount },
        allowEndpoints: Object.values(origins),
        ...(options.controllerEnv && { env: options.controllerEnv }),
      }),
    ),
  );
  const [startedServices, startedControllers] = await Promise.all([services, controllers]);
  return {
    services: Object.fromEntries(startedServices) as Record<ServiceName, RunningService>,
    controllers: startedControllers,
  };
}

function originsOf(ports: readonly (readonly [ServiceName, number])[]): Readonly<Record<ServiceName, string>> {
  const origins = ports.map(([name, port]) => [name, `http://127.0.0.1:${port}`] as const);
  return Object.fromEntries(origins) as Record<ServiceName, string>;
}

type Place = Pick<ServiceOptions, 'name' | 'port' | 'origins'> & { readonly jwksUrl: string };

async function service(
  group: ProcessGroup,
  options: BusinessOptions,
  access: Access,
  { name, port, origins, jwksUrl }: Place,
): Promise<RunningService> {
  const { cluster, namespace, redisUrl } = options;
  const databaseUrl = await createDatabase(options.postgresUrl, `${options.databasePrefix}${name}`);
  const createsTransactions = SERVICES.some((traits) => traits.name === name && traits.createsTransactions);
  const env = options.serviceEnv?.[name];
  return startService(group, {
    ...{ name, port, origins, databaseUrl, redisUrl, namespaces: [namespace] },
    callers: { kind: 'on', issuer: cluster.issuer, jwksUrl, subject: access.controllerSubject },
    ...(createsTransactions && { kubeconfig: access.orderKubeconfig }),
    ...(env && { env }),
  });
}
