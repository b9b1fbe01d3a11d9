/**
 * A verb's session without a terminal; with -o json in the namespace `shop` unless it is told otherwise.
 */
import { PassThrough } from 'node:stream';
import type { Transport } from '../../src/kubernetes/transport.ts';
import { Api } from '../api.ts';
import { ArchiveReader } from '../archive-reader.ts';
import { ControllerPorts } from '../controller-ports.ts';
import { renderAs } from '../output/format.ts';
import type { Session } from '../session.ts';
import { Terminal, type Streams } from '../terminal.ts';

const REQUEST_MS = 5_000;

export function sessionOn(
  transport: Transport,
  { namespace, format }: Pick<Session, 'namespace' | 'format'> = { namespace: 'shop', format: { kind: 'json' } },
): { readonly session: Session; readonly printed: () => string; readonly said: () => string } {
  const { signal } = new AbortController();
  const texts = { out: '', err: '' };
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  streams.stdout.on('data', (chunk: Buffer) => (texts.out += chunk.toString('utf8')));
  streams.stderr.on('data', (chunk: Buffer) => (texts.err += chunk.toString('utf8')));
  const terminal = new Terminal(streams as unknown as Streams, true, signal);
  const api = new Api(transport, REQUEST_MS, signal);
  const session: Session = {
    ...{ api, namespace, selectors: {}, format, isWithHeads: true, terminal },
    archive: new ArchiveReader(undefined),
    controllers: new ControllerPorts(undefined, api),
    now: Date.now,
    stopping: signal,
    render: (rendered) => terminal.print(renderAs(format, rendered)),
  };
  return { session, printed: () => texts.out, said: () => texts.err };
}
