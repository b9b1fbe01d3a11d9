/**
 * What a Node process holds once its garbage is collected, asked through its inspector; it must run with
 * NODE_OPTIONS=--inspect=127.0.0.1:<port>.
 */

export interface Held {
  /** Of JavaScript's objects, right after a full collection. */
  readonly heapMiB: number;
  /** Of the whole process, as a container's limit counts it. */
  readonly residentMiB: number;
}

const MEBIBYTE = 1024 ** 2;

interface Answer {
  readonly id: number;
  readonly result?: { readonly result?: { readonly value?: string } };
}

export async function heapAfterGc(inspectorPort: number): Promise<Held> {
  const targets = await (await fetch(`http://127.0.0.1:${String(inspectorPort)}/json/list`)).json();
  const [target] = targets as readonly { readonly webSocketDebuggerUrl: string }[];
  if (target === undefined) throw new Error('the process has no inspector');
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
