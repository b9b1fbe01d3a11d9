/**
 * kind-config.yaml, read as strictly as kind and kubeadm read it: a field that they do not have, or a number where they want a text, throws.
 *
 * Fields are those of kind.x-k8s.io/v1alpha4 and kubeadm.k8s.io/v1beta4 that are used here, and their neighbours.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const text = z.string().min(1);

const mount = z.strictObject({
  hostPath: text,
  containerPath: text,
  readOnly: z.boolean().optional(),
  propagation: z.enum(['None', 'HostToContainer', 'Bidirectional']).optional(),
});

const cluster = z.strictObject({
  kind: z.literal('Cluster'),
  apiVersion: z.literal('kind.x-k8s.io/v1alpha4'),
  nodes: z.array(
    z.strictObject({
      role: z.enum(['control-plane', 'worker']),
      image: z.string().regex(/^kindest\/node:v[\d.]+@sha256:[0-9a-f]{64}$/),
      extraMounts: z.array(mount),
    }),
  ),
  kubeadmConfigPatches: z.array(text),
});

const named = z.strictObject({ name: text, value: z.string() });

const clusterConfiguration = z.strictObject({
  apiVersion: z.literal('kubeadm.k8s.io/v1beta4'),
  kind: z.literal('ClusterConfiguration'),
  apiServer: z.strictObject({
    extraArgs: z.array(named),
    extraEnvs: z.array(named),
    extraVolumes: z.array(
      z.strictObject({
        name: text,
        hostPath: text,
        mountPath: text,
        readOnly: z.boolean().optional(),
        pathType: z.enum(['', 'DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File']).optional(),
      }),
    ),
    certSANs: z.array(text).optional(),
  }),
});

export interface KindConfig {
  readonly nodes: z.infer<typeof cluster>['nodes'];
  readonly apiServer: z.infer<typeof clusterConfiguration>['apiServer'];
}

const FILE = join(import.meta.dirname, '../../kind-config.yaml');

export function kindConfig(yaml = readFileSync(FILE, 'utf8')): KindConfig {
  const { nodes, kubeadmConfigPatches } = cluster.parse(parse(yaml));
  const [patch = '', ...others] = kubeadmConfigPatches;
  if (others.length > 0) throw new Error('one patch is all that is looked at');
  return { nodes, apiServer: clusterConfiguration.parse(parse(patch)).apiServer };
}
