/**
 * What does not come to its end, where it waits, and since when: the board beside `kubectl ordertx incidents`.
 */
import { processes, type Board } from './board.ts';
import { lines, now, of, perSecond } from './panels.ts';

export const stuck: Board = {
  uid: 'ordertx-stuck',
  title: 'ordertx / Stuck',
  description:
    'What does not come to its end, where it waits and since when. `kubectl ordertx incidents` says why, and what to do next.',
  variables: processes('{__name__=~"ordertx_.+"}'),
  rows: [
    {
      title: 'Now',
      panels: [
        now({
          ...{ title: 'Where transactions wait', unit: 'short', width: 12, labels: ['flow', 'target'] },
          description:
            'Target is a participant or a message; empty: their flow is missing. A row here and in `kubectl ordertx incidents` are the same thing.',
          columns: {
            Stuck: { expr: `sum by (flow, target) (${of('ordertx_transactions_stuck')})`, unit: 'short' },
            'Oldest since': {
              expr: `max by (flow, target) (${of('ordertx_transactions_stuck_oldest_age_seconds')})`,
              unit: 's',
            },
            Failing: { expr: `sum by (flow, target) (${of('ordertx_transactions_failing')})`, unit: 'short' },
          },
        }),
        now({
          ...{ title: 'Endpoints that answer nobody', unit: 'short', width: 6, labels: ['endpoint'] },
          description: '1: it is asked by turns, once a second, until it answers. By itself all goes on then.',
          columns: {
            Open: { expr: `max by (endpoint) (${of('ordertx_participant_breaker_open')})`, unit: 'short' },
          },
        }),
        now({
          ...{ title: 'On hold', unit: 'short', width: 6, labels: ['flow', 'target'] },
          description: 'Somebody’s decision (spec.hold of the flow): nothing is sent there until it is taken back.',
          columns: {
            Namespaces: { expr: `max by (flow, target) (${of('ordertx_flow_holds')})`, unit: 'short' },
          },
        }),
      ],
    },
    {
      title: 'Transactions',
      panels: [
        lines({
          ...{ title: 'Stuck', unit: 'short', stacked: true },
          description: 'Normal: none. When it falls to none, the incident is over.',
          queries: [
            { expr: `sum by (flow, target) (${of('ordertx_transactions_stuck')})`, legend: '{{flow}} at {{target}}' },
          ],
        }),
        lines({
          ...{ title: 'Failing', unit: 'short', stacked: true },
          description: 'Before they are Stuck, and while they are. What is restarted is back within a minute.',
          queries: [
            { expr: `sum by (flow, target) (${of('ordertx_transactions_failing')})`, legend: '{{flow}} at {{target}}' },
          ],
        }),
        lines({
          ...{ title: 'Age of the oldest that is stuck', unit: 's' },
          description:
            'What is decided waits for ever and loses nothing; what is not decided is cancelled at its deadline.',
          queries: [
            {
              expr: `max by (flow, target) (${of('ordertx_transactions_stuck_oldest_age_seconds')})`,
              legend: '{{flow}} at {{target}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Oldest branch without an end', unit: 's' },
          description:
            'As participants see it: stock or an order that is held. It outlives the object of a transaction that was given up.',
          queries: [{ expr: `max by (service) (${of('ordertx_fence_open_oldest_seconds')})`, legend: '{{service}}' }],
        }),
      ],
    },
    {
      title: 'Why',
      panels: [
        lines({
          ...{ title: 'Answers that are none, a second', unit: 'ops' },
          description:
            'Unknown: no usable answer. Unsent: for want of something of our own. Blocked: nobody may be called. Ongoing (425) is normal in small numbers.',
          queries: [
            {
              expr: `sum by (participant, operation, outcome) (${perSecond('ordertx_participant_calls_total', 'outcome!~"succeeded|refused"')})`,
              legend: '{{participant}} {{operation}}: {{outcome}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Messages published again, a second', unit: 'ops' },
          description: 'Their receipt is missing: the consumer is away, slow, or its receipts do not come through.',
          queries: [
            {
              expr: `sum by (stream) (${perSecond('ordertx_message_publications_total', 'attempt="again"')})`,
              legend: '{{stream}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Refusals where there should be none, a second', unit: 'ops' },
          description: 'A consumer that refuses a message says why in `kubectl ordertx incidents`.',
          queries: [
            {
              expr: `sum by (consumer) (${perSecond('ordertx_message_receipts_total', 'result="refused"')})`,
              legend: 'message refused by {{consumer}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Calls that came twice, late or for nothing, a second', unit: 'ops' },
          description:
            'Duplicates are normal after trouble. confirm-without-try, confirm-of-refused, confirm-after-cancel, cancel-after-confirm and payload-mismatch are not: was a store put back?',
          queries: [
            {
              expr: `sum by (service, anomaly) (${perSecond('ordertx_fence_anomalies_total')})`,
              legend: '{{service}}: {{anomaly}}',
            },
          ],
        }),
      ],
    },
  ],
};
