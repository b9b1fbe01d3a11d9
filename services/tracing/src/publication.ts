/**
 * The span of one publication on a message stream, by OpenTelemetry's conventions for messaging.
 */
import { messagesStream } from '../../protocol/src/index.ts';
import { SpanKind, startSpan, type OpenSpan } from './spans.ts';

export interface TracedPublication {
  /** Of the service that reads it. */
  readonly stream: string;
  readonly id: string;
  readonly type: string;
  /** Counted from 1. */
  readonly attempt: number;
  readonly parent: string | undefined;
}

export function publicationSpan({ stream, id, type, attempt, parent }: TracedPublication): OpenSpan {
  const destination = messagesStream(stream);
  return startSpan(`send ${destination}`, {
    kind: SpanKind.PRODUCER,
    parent,
    attributes: {
      'messaging.system': 'redis',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'send',
      'messaging.destination.name': destination,
      'messaging.message.id': id,
      'cloudevents.event_type': type,
      'ordertx.attempt': attempt,
    },
  });
}
