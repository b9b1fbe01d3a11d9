/**
 * The flows of crds/flows/, with the endpoints that their participants have on this machine.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Cluster } from './cluster.ts';

const FLOWS_FOLDER = join(import.meta.dirname, '..', 'crds', 'flows');
const GROUP_PATH = '/apis/ordertx.dev/v1alpha1';

type Flow = {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly participants: readonly { readonly name: string; readonly endpoint: unknown }[];
    readonly messages?: readonly { readonly stream: string }[];
  };
};

/**
 * Creates every flow in `namespace`, or updates it. `origins` gives a service's origin by its name, which is its participant's and
 * its stream's as well: messages that none of them would hear are left out.
 */
export async function applyFlows(
  cluster: Pick<Cluster, 'admin'>,
  namespace: string,
  origins: Readonly<Record<string, string>>,
): Promise<void> {
  const files = (await readdir(FLOWS_FOLDER)).filter((file) => file.endsWith('.yaml'));
  for (const file of files) {
    const flow = withEndpoints(parse(await readFile(join(FLOWS_FOLDER, file), 'utf8')) as Flow, origins);
    const flows = `${GROUP_PATH}/namespaces/${namespace}/transactionflows`;
    const path = `${flows}/${flow.metadata.name}`;
    let answer = await cluster.admin.request('POST', flows, { ...flow, metadata: { ...flow.metadata, namespace } });
    if (answer.status === 409) answer = await cluster.admin.request('PATCH', path, { spec: flow.spec });
    if (answer.status >= 300) {
      throw new Error(`flow ${file} was refused (${answer.status}): ${JSON.stringify(answer.body)}`);
    }
  }
}

function withEndpoints(flow: Flow, origins: Readonly<Record<string, string>>): Flow {
  const participants = flow.spec.participants.map((participant) => {
    const url = origins[participant.name];
    if (url === undefined) {
      throw new Error(`flow ${flow.metadata.name} calls ${participant.name}, which is no service here`);
    }
    return { ...participant, endpoint: { url } };
  });
  const messages = (flow.spec.messages ?? []).filter(({ stream }) => stream in origins);
  return { ...flow, spec: { ...flow.spec, participants, messages } };
}
