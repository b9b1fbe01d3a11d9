/**
 * What the cluster and the broker refuse, each tried from a pod.
 */
import { waitFor } from '../../../local/deadline.ts';
import type { Cluster } from '../cluster.ts';
import { restrictedPod } from '../pods.ts';
import type { Step } from '../report.ts';

const CONNECT_MS = 4_000;
/** Until whoever enforces policies has heard of a pod. */
const HEARD_MS = 60_000;
const PODS = { stranger: 'ordertx-test-stranger', client: 'ordertx-test-client' } as const;

/** Prints which of these can be connected to: {"order:8080": true}. */
const reach = (addresses: readonly string[]): string => `
import { connect } from 'node:net';
const ask = (address) => new Promise((settle) => {
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port), timeout: ${CONNECT_MS} });
  const end = (is) => { socket.destroy(); settle([address, is]); };
  socket.once('connect', () => end(true)).once('timeout', () => end(false)).once('error', () => end(false));
});
console.log(JSON.stringify(Object.fromEntries(await Promise.all(${JSON.stringify(addresses)}.map(ask)))));`;

type Reached = Readonly<Record<string, boolean>>;

export function refusalSteps(cluster: Cluster): readonly Step[] {
  return [
    { name: 'Restricted refuses a pod', run: () => restricted(cluster) },
    { name: 'network policies refuse whoever has no business here', run: () => networkPolicies(cluster) },
    { name: 'Redis refuses what is another’s', run: () => redisAcl(cluster) },
  ];
}

async function restricted(cluster: Cluster): Promise<string> {
  const spec = { containers: [{ name: 'main', image: 'none', securityContext: { privileged: true } }] };
  const bad = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'ordertx-test-bad' }, spec };
  const { code, stderr } = await cluster.ask(['create', '--filename', '-'], JSON.stringify(bad));
  if (code === 0) {
    await cluster.kubectl(['delete', 'pod/ordertx-test-bad', '--wait=false']);
    throw new Error('a privileged pod was taken');
  }
  if (!stderr.includes('violates PodSecurity "restricted')) throw new Error(stderr.trim());
  return 'a privileged pod is not taken, and every pod of the release was';
}

async function reached(cluster: Cluster, pod: string, addresses: readonly string[]): Promise<Reached> {
  return JSON.parse(await cluster.inPod(pod, reach(addresses))) as Reached;
}

const those = (all: Reached, is: boolean): readonly string[] =>
  Object.keys(all).filter((address) => all[address] === is);

async function networkPolicies(cluster: Cluster): Promise<string> {
  const { release, tag } = cluster.target;
  const open = [`${release}-order:8080`, `${release}-wms:8081`];
  const shut = [`${release}-try-postgres:5432`, `${release}-try-redis:6379`, `${release}-controller:8080`];
  const image = `ordertx/order:${tag}`;
  const command = ['node', '--eval', 'setInterval(() => {}, 1e6)'];
  try {
    for (const [who, name] of Object.entries(PODS))
      await cluster.apply(restrictedPod({ name, image, command, isClient: who === 'client' }));
    await cluster.kubectl(['wait', '--for=condition=Ready', ...Object.values(PODS).map((name) => `pod/${name}`)]);
    const clientsSeen = async (): Promise<Reached | false> => {
      const seen = await reached(cluster, PODS.client, [...open, ...shut]);
      return open.every((address) => seen[address]) && seen;
    };
    const seen = await waitFor(clientsSeen, { what: `a client to reach ${open.join(', ')}`, deadlineMs: HEARD_MS });
    const wrong = those(seen, true).filter((address) => !open.includes(address));
    if (wrong.length > 0) throw new Error(`a client reaches ${wrong.join(', ')}`);
    const strangers = those(await reached(cluster, PODS.stranger, [...open, ...shut]), true);
    if (strangers.length > 0) throw new Error(`a stranger reaches ${strangers.join(', ')}`);
    // Out of the release's own pods likewise: only the paths that exist.
    const wms = await cluster.podOf('wms');
    const ways = [`${release}-order:8080`, 'kubernetes.default.svc:443', `${release}-try-redis:6379`];
    const out = those(await reached(cluster, wms.metadata.name, ways), true).join(', ');
    if (out !== `${release}-try-redis:6379`)
      throw new Error(`wms is to reach Redis alone of these, and reaches ${out}`);
    return `a stranger reaches none of ${open.length + shut.length}, a client ${open.join(' and ')} alone; wms reaches Redis, neither order nor the API server`;
  } finally {
    await cluster.kubectl(['delete', 'pod', ...Object.values(PODS), '--ignore-not-found', '--wait=false']);
  }
}

/** Prints Redis's answer to each command, asked as whoever REDIS_URL names, or as nobody. */
const redis = (commands: readonly string[], isNobody: boolean): string => `
import { connect } from 'node:net';
const { hostname, port, username, password } = new URL(process.env.REDIS_URL);
const commands = ${JSON.stringify(commands)};
const logIn = ${isNobody} ? [] : ['AUTH ' + username + ' ' + password];
const socket = connect({ host: hostname, port: Number(port || 6379), timeout: ${CONNECT_MS} });
let text = '';
socket.on('data', (data) => (text += data)).on('timeout', () => socket.destroy(new Error('no answer')));
socket.write([...logIn, ...commands, 'QUIT'].join('\\r\\n') + '\\r\\n');
await new Promise((settle, fail) => socket.once('close', settle).once('error', fail));
console.log(JSON.stringify(text.trim().split('\\r\\n').slice(logIn.length, logIn.length + commands.length)));`;

/** The notification service's pod has no business with money. Each is one inline command, and each answer one line. */
const FORGERIES = [
  'XADD ordertx:messages:order * event forged',
  'XADD ordertx:messages:payment * event forged',
  'XADD ordertx:receipts:payment-1 * receipt forged',
  'XLEN ordertx:messages:wms',
  'XREADGROUP GROUP wms me COUNT 1 STREAMS ordertx:messages:wms >',
  'FLUSHALL',
];

async function redisAcl(cluster: Cluster): Promise<string> {
  const { name } = (await cluster.podOf('notification')).metadata;
  const ask = async (commands: readonly string[], isNobody: boolean): Promise<readonly string[]> =>
    JSON.parse(await cluster.inPod(name, redis(commands, isNobody))) as readonly string[];
  const [ping, ...answers] = await ask(['PING', ...FORGERIES], false);
  if (ping !== '+PONG') throw new Error(`its own user is not let in: ${ping ?? 'no answer'}`);
  const taken = FORGERIES.filter((_, index) => !(answers[index] ?? '').startsWith('-NOPERM'));
  if (taken.length > 0) throw new Error(`notification may ${taken.join('; ')}: ${answers.join(' | ')}`);
  const [nobody] = await ask([FORGERIES[0] ?? ''], true);
  if (nobody?.startsWith('-NOAUTH') !== true) throw new Error(`without a password the answer is ${nobody ?? 'none'}`);
  return `notification’s own user is refused ${FORGERIES.length} of ${FORGERIES.length} (NOPERM), whoever has no password is refused too (NOAUTH)`;
}
