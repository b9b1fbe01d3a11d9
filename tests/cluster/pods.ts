/**
 * Pods of our own: as Restricted wants them, from an image that is there.
 */

/** values.yaml beside this lets in who has it. */
const CLIENT = { 'ordertx.dev/test': 'client' };

export type PodChoice = {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** At /files. */
  readonly configMap?: string;
  /** Whether it may reach the services. */
  readonly isClient: boolean;
};

export function restrictedPod({ name, image, command, env = {}, configMap, isClient }: PodChoice): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: isClient ? CLIENT : {} },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          ...{ name: 'main', image, imagePullPolicy: 'IfNotPresent', command },
          env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
          securityContext: {
            ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
          },
          resources: { requests: { cpu: '25m', memory: '64Mi' }, limits: { memory: '256Mi' } },
          ...(configMap !== undefined && { volumeMounts: [{ name: 'files', mountPath: '/files', readOnly: true }] }),
        },
      ],
      ...(configMap !== undefined && { volumes: [{ name: 'files', configMap: { name: configMap } }] }),
    },
  };
}

/**
 * One that is on the node as root, in the node's process table: what kills a process of a pod for good. Its namespace must let it be.
 */
export function nodePod(name: string, image: string, nodeName: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      ...{ restartPolicy: 'Never', hostPID: true, nodeName, automountServiceAccountToken: false },
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsUser: 0, runAsGroup: 0 },
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          ...{
            name: 'main',
            image,
            imagePullPolicy: 'IfNotPresent',
            command: ['node', '--eval', 'setInterval(() => {}, 1e6)'],
          },
          securityContext: { privileged: true },
        },
      ],
    },
  };
}
