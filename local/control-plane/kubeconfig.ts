/**
 * Kubeconfig files with a token. JSON is YAML, so no serialiser is needed.
 */
import { writeFile } from 'node:fs/promises';

export type KubeconfigContent = {
  readonly url: string;
  readonly certificate: string;
  readonly token: string;
  readonly user: string;
  readonly namespace: string;
};

export async function writeKubeconfig(path: string, content: KubeconfigContent): Promise<void> {
  const { url, certificate, token, user, namespace } = content;
  const authority = Buffer.from(certificate).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'ordertx', cluster: { server: url, 'certificate-authority-data': authority } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'ordertx', context: { cluster: 'ordertx', user, namespace } }],
    'current-context': 'ordertx',
  };
  await writeFile(path, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
}
