/**
 * Messages from both sides of the streams: published, heard, handled, receipts, and what waits anywhere between.
 */
import { processes, type Board } from './board.ts';
import { lines, of, oneNumber, perSecond, quantile } from './panels.ts';

export const messages: Board = {
  uid: 'ordertx-messages',
  title: 'ordertx / Messages',
  description: 'Messages on their way: published, handled, receipts, and what waits in inboxes and outboxes.',
  variables: processes('{__name__=~"ordertx_.+"}'),
  rows: [
    {
      title: 'Now',
      panels: [
        oneNumber({
          ...{ title: 'Redis answers', unit: 'short', width: 6 },
          description: '1: every controller reaches it. 0: messages wait, and are published by themselves later.',
          expr: `min(${of('ordertx_redis_up')})`,
        }),
        oneNumber({
          ...{ title: 'Oldest message in an inbox', unit: 's', width: 6, badFrom: 120 },
          description: 'Of all consumers. Up to some seconds is normal.',
          expr: `max(${of('ordertx_inbox_oldest_seconds')})`,
        }),
        oneNumber({
          ...{ title: 'Oldest message in an outbox', unit: 's', width: 6, badFrom: 300 },
          description: 'Of services that send messages of their own (payment, wms): without a receipt yet.',
          expr: `max(${of('ordertx_outbox_oldest_seconds')})`,
        }),
        oneNumber({
          ...{ title: 'Parked by a refusal', unit: 'short', width: 6, badFrom: 1 },
          description:
            'Messages of services that their consumer refused: a person runs `outbox retry` once it is mended.',
          expr: `sum(max by (service) (${of('ordertx_outbox_refused')}))`,
        }),
      ],
    },
    {
      title: 'Publishing',
      panels: [
        lines({
          ...{ title: 'Publications a second, by stream and attempt', unit: 'ops', stacked: true },
          description: 'Again: the receipt is missing. Failed: Redis did not take it.',
          queries: [
            {
              expr: `sum by (stream, attempt, result) (${perSecond('ordertx_message_publications_total')})`,
              legend: '{{stream}} {{attempt}} {{result}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Receipts a second, by consumer and result', unit: 'ops', stacked: true },
          description: 'Refused is for a person; failed is the best effort that did not do.',
          queries: [
            {
              expr: `sum by (consumer, result) (${perSecond('ordertx_message_receipts_total')})`,
              legend: '{{consumer}} {{result}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Outboxes of services', unit: 'short' },
          description: 'Messages of payment and wms that have no receipt yet; refused ones are parked.',
          queries: [
            { expr: `max by (service) (${of('ordertx_outbox_waiting')})`, legend: '{{service}} waiting' },
            { expr: `max by (service) (${of('ordertx_outbox_refused')})`, legend: '{{service}} refused' },
          ],
        }),
        lines({
          ...{ title: 'What cannot be done at Redis', unit: 'short' },
          description: '1 while a process cannot publish, read or send receipts, or read messages; its log says why.',
          queries: [{ expr: `max by (job, doing) (${of('ordertx_broker_trouble')})`, legend: '{{job}}: {{doing}}' }],
        }),
      ],
    },
    {
      title: 'Hearing',
      panels: [
        lines({
          ...{ title: 'Handled a second, by stream and outcome', unit: 'ops', stacked: true },
          description:
            'Replayed is the same message again. Foreign and conflict are forgeries; unknown is a fault of ours or of the database.',
          queries: [
            {
              expr: `sum by (stream, outcome) (${perSecond('ordertx_messages_handled_total')})`,
              legend: '{{stream}} {{outcome}}',
            },
          ],
        }),
        lines({
          ...{ title: 'How long handling takes, p99', unit: 's' },
          description: 'Receipt included. By type of message.',
          queries: [
            {
              expr: quantile(0.99, 'ordertx_message_handling_seconds', ['stream', 'type']),
              legend: '{{stream}} {{type}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Messages that wait in inboxes', unit: 'short' },
          description: 'Not ended by their consumer. It goes up and down with the load.',
          queries: [{ expr: `max by (stream) (${of('ordertx_inbox_waiting')})`, legend: '{{stream}}' }],
        }),
        lines({
          ...{ title: 'Oldest message that waits in an inbox', unit: 's' },
          description: 'Since its publication. Growing: the consumer hangs, is dead, or is too slow.',
          queries: [{ expr: `max by (stream) (${of('ordertx_inbox_oldest_seconds')})`, legend: '{{stream}}' }],
        }),
        lines({
          ...{ title: 'Unanswerable', unit: 'short', width: 24 },
          description: 'Nonsense that lay on a stream and named nobody to tell. Normal: 0.',
          queries: [{ expr: `max by (service) (${of('ordertx_messages_unanswerable')})`, legend: '{{service}}' }],
        }),
      ],
    },
  ],
};
