/**
 * What a Node process holds once its garbage is collected, asked through its inspector; it must run with
 * NODE_OPTIONS=--inspect-port=127.0.0.1:<port>. The inspector starts only now, by SIGUSR1: it takes memory itself.
 */
import { waitFor } from '../../local/deadline.ts';

export interface Held {
  /** Of JavaScript's objects, right after a full collection. */
  readonly heapMiB: number;
  /** Of the whole process, as a container's limit counts it. */
  readonly residentMiB: number;
}

const MEBIBYTE = 1024 ** 2;
const INSPECTOR_MS = 10_000;

interface Target {
  readonly webSocketDebuggerUrl: string;
}

interface Answer {
  readonly id: number;
  readonly result?: { readonly result?: { readonly value?: string } };
}

export async function heapAfterGc(pid: number, inspectorPort: number): Promise<Held> {
  process.kill(pid, 'SIGUSR1');
  const target = await waitFor(
    async () => {
      const targets = await (await fetch(`http://127.0.0.1:${String(inspectorPort)}/json/list`)).json();
      return (targets as readonly Target[])[0];
    },
    { what: 'the inspector to answer', deadlineMs: INSPECTOR_MS },
  );
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  const waiting = new Map<number, (answer: Answer) => void>();
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('the inspector does not answer')));
  });
  socket.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    waiting.get(answer.id)?.(answer);
  });
  let count = 0;
  const send = (method: string, params: object = {}): Promise<Answer> => {
    count += 1;
    const id = count;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => waiting.set(id, resolve));
  };
  try {
    await send('HeapProfiler.collectGarbage');
    const { result } = await send('Runtime.evaluate', { expression: 'JSON.stringify(process.memoryUsage())' });
    const usage = JSON.parse(result?.result?.value ?? '{}') as { readonly heapUsed?: number; readonly rss?: number };
    return { heapMiB: (usage.heapUsed ?? NaN) / MEBIBYTE, residentMiB: (usage.rss ?? NaN) / MEBIBYTE };
  } finally {
    socket.close();
  }
}
