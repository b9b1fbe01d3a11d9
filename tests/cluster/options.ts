/**
 * What `npm run test:cluster` is told: which cluster, and how an image gets there.
 */
import { parseArgs } from 'node:util';

export const USAGE = `npm run test:cluster -- --load COMMAND [--kubeconfig FILE] [--docker PROGRAM] [--stores BASE] [-- ARGUMENTS]
  --load COMMAND     brings an image to the nodes; the image's name is put at its end: "kind load docker-image --name ordertx"
  --kubeconfig FILE  of the cluster; default: KUBECONFIG. Its user has to be an administrator of it
  --docker PROGRAM   what builds: "docker", or "docker --host unix:///run/other.sock"
  --stores BASE      Postgres and Redis are made from the Debian image BASE and loaded, where the nodes cannot pull them
  -- ARGUMENTS       for docker build: --build-arg NODE_IMAGE=...`;

export type Wanted = {
  readonly kubeconfig: string;
  readonly load: readonly string[];
  readonly docker: readonly string[];
  /** What Postgres and Redis are made from; undefined: the nodes pull them. */
  readonly stores: string | undefined;
  readonly buildArgs: readonly string[];
};

const words = (text: string): readonly string[] =>
  text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');

/** @throws with a sentence that says what is missing */
export function readOptions(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Wanted {
  const end = args.indexOf('--');
  const [own, buildArgs] = end < 0 ? [args, []] : [args.slice(0, end), args.slice(end + 1)];
  const { values } = parseArgs({
    args: [...own],
    options: {
      kubeconfig: { type: 'string', default: env.KUBECONFIG ?? '' },
      load: { type: 'string', default: '' },
      docker: { type: 'string', default: 'docker' },
      stores: { type: 'string' },
    },
  });
  const { kubeconfig, stores } = values;
  if (kubeconfig === '') throw new Error('--kubeconfig: name the cluster, here or in KUBECONFIG');
  if (words(values.load).length === 0)
    throw new Error('--load: name the command that brings an image to the nodes, as "kind load docker-image"');
  if (words(values.docker).length === 0) throw new Error('--docker: name the program that builds images');
  return { kubeconfig, load: words(values.load), docker: words(values.docker), stores, buildArgs };
}
