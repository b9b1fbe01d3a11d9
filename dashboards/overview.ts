/**
 * Whether orders come to their end, how fast, and what stands in their way: the board to begin with.
 */
import { processes, type Board } from './board.ts';
import { lines, of, oneNumber, perSecond, quantile } from './panels.ts';

export const overview: Board = {
  uid: 'ordertx-overview',
  title: 'ordertx / Overview',
  description: 'Whether transactions come to their end, how fast, and what stands in their way.',
  variables: processes('{__name__=~"ordertx_.+"}'),
  rows: [
    {
      title: 'Now',
      panels: [
        oneNumber({
          ...{ title: 'Finished a second', unit: 'ops', none: '0' },
          description: 'Transactions that reached Succeeded or Cancelled. An order that is paid and shipped takes two.',
          expr: `sum(${perSecond('ordertx_transactions_finished_total')})`,
        }),
        oneNumber({
          ...{ title: 'Unfinished', unit: 'short', none: '0' },
          description:
            'Transactions that still need work. It goes up and down with the load; where it only goes up, look at Participants and Controller.',
          expr: `sum(${of('ordertx_transactions')})`,
        }),
        oneNumber({
          ...{ title: 'Stuck', unit: 'short', none: '0', badFrom: 1 },
          description: 'Unfinished transactions that a person should look at. The board Stuck says where they wait.',
          expr: `sum(${of('ordertx_transactions_stuck')})`,
        }),
        oneNumber({
          ...{ title: 'Failing', unit: 'short', none: '0', badFrom: 1 },
          description:
            'Transactions whose last attempt at a participant or a message came to nothing; they are tried again.',
          expr: `sum(${of('ordertx_transactions_failing')})`,
        }),
        oneNumber({
          ...{ title: 'Time to final, p99', unit: 's', badFrom: 30, none: 'none ended' },
          description: 'From the creation of a transaction to its final phase, messages included.',
          expr: quantile(0.99, 'ordertx_transaction_duration_seconds', []),
        }),
        oneNumber({
          ...{ title: 'Shards with a controller', unit: 'short' },
          description:
            'Leases that some controller works on. Less than ORDERTX_SHARDS: nobody carries those transactions.',
          expr: `sum(max by (name) (${of('leader_election_master_status')}))`,
        }),
      ],
    },
    {
      title: 'Transactions',
      panels: [
        lines({
          ...{ title: 'Finished a second, by flow and end', unit: 'ops', stacked: true },
          description:
            'Cancelled is a normal end: out of stock, withdrawn. A rise of it is worth a look at the reasons.',
          queries: [
            {
              expr: `sum by (flow, phase) (${perSecond('ordertx_transactions_finished_total')})`,
              legend: '{{flow}} {{phase}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Unfinished, by flow and phase', unit: 'short', stacked: true },
          description:
            'Where transactions are. Confirming or Cancelling that grows: a participant. Delivering: a consumer.',
          queries: [{ expr: `sum by (flow, phase) (${of('ordertx_transactions')})`, legend: '{{flow}} {{phase}}' }],
        }),
        lines({
          ...{ title: 'Time to the decision', unit: 's' },
          description:
            'How long customers wait: from the creation to Confirm or Cancel. Dots lead to the traces of single transactions.',
          queries: [
            {
              expr: quantile(0.5, 'ordertx_transaction_decision_seconds', ['flow']),
              legend: '{{flow}} p50',
            },
            {
              expr: quantile(0.99, 'ordertx_transaction_decision_seconds', ['flow']),
              ...{ legend: '{{flow}} p99', exemplars: true },
            },
          ],
        }),
        lines({
          ...{ title: 'Time to final', unit: 's' },
          description:
            'From the creation to the final phase, messages included. Dots lead to the traces of single transactions.',
          queries: [
            { expr: quantile(0.5, 'ordertx_transaction_duration_seconds', ['flow']), legend: '{{flow}} p50' },
            {
              expr: quantile(0.99, 'ordertx_transaction_duration_seconds', ['flow']),
              ...{ legend: '{{flow}} p99', exemplars: true },
            },
          ],
        }),
        lines({
          ...{ title: 'Decisions a second, by reason', unit: 'ops', stacked: true },
          description:
            'AllTried is Confirm. Refused is a business no. DeadlineExceeded is an answer that was missing too long: look at Participants.',
          queries: [
            { expr: `sum by (reason) (${perSecond('ordertx_transactions_decided_total')})`, legend: '{{reason}}' },
          ],
        }),
        lines({
          ...{ title: 'Messages with a receipt, a second', unit: 'ops', stacked: true },
          description: 'By consumer and what the receipt says. Refused is for a person: look at Messages.',
          queries: [
            {
              expr: `sum by (consumer, result) (${perSecond('ordertx_message_receipts_total')})`,
              legend: '{{consumer}} {{result}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Orders and services',
      panels: [
        lines({
          ...{ title: 'Requests a second, by service and code', unit: 'reqps', stacked: true },
          description:
            '5xx should not be; 503 is load that is shed, 409 and 425 are normal between controller and participants.',
          queries: [
            {
              expr: `sum by (service, code) (${perSecond('http_request_duration_seconds_count')})`,
              legend: '{{service}} {{code}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Answers of services, p99', unit: 's' },
          description: 'POST /orders with Prefer: wait is among them, and takes as long as its transaction.',
          queries: [{ expr: quantile(0.99, 'http_request_duration_seconds', ['service']), legend: '{{service}}' }],
        }),
        lines({
          ...{ title: 'Orders whose creation has not ended', unit: 'short' },
          description:
            'The creation outbox of the order service. Waiting that grows: the API server does not take transactions. Refused and given-up are for a person.',
          queries: [{ expr: `max by (state) (${of('ordertx_order_creation_outbox_rows')})`, legend: '{{state}}' }],
        }),
        lines({
          ...{ title: 'Waiting for somebody outside', unit: 'short' },
          description:
            'Refunds that the payment provider has not taken, and orders whose close came to nothing three times. Normal: 0, or few and short.',
          queries: [
            { expr: `max(${of('ordertx_payment_refunds_waiting')})`, legend: 'refunds waiting' },
            { expr: `max(${of('ordertx_payment_refunds_failing')})`, legend: 'refunds asked for in vain' },
            { expr: `max(${of('ordertx_order_closes_failing')})`, legend: 'closes that fail' },
          ],
        }),
        lines({
          ...{ title: 'Redis, as controllers see it', unit: 'short' },
          description: '1: it answered the last ping. 0: messages wait, nothing is lost.',
          queries: [{ expr: `min by (job, instance) (${of('ordertx_redis_up')})`, legend: '{{instance}}' }],
        }),
        lines({
          ...{ title: 'What cannot be done at Redis', unit: 'short' },
          description: '1 while a process cannot publish, read or send receipts, or read messages; its log says why.',
          queries: [{ expr: `max by (job, doing) (${of('ordertx_broker_trouble')})`, legend: '{{job}}: {{doing}}' }],
        }),
      ],
    },
  ],
};
