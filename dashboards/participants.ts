/**
 * Participants from both sides: what the controller asks and how it is answered, and what the services' fences and databases say.
 */
import { processes, type Board } from './board.ts';
import { lines, of, perSecond, quantile } from './panels.ts';

export const participants: Board = {
  uid: 'ordertx-participants',
  title: 'ordertx / Participants',
  description: 'What the controller asks of participants and how it is answered; their fences, routes and databases.',
  variables: processes('{__name__=~"ordertx_.+"}'),
  rows: [
    {
      title: 'As the controller sees them',
      panels: [
        lines({
          ...{ title: 'Calls a second, by outcome', unit: 'ops', stacked: true },
          description: 'Refused is a business no. Ongoing (425): ask again. Unknown: no usable answer.',
          queries: [
            {
              expr: `sum by (participant, outcome) (${perSecond('ordertx_participant_calls_total')})`,
              legend: '{{participant}} {{outcome}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Calls a second, by operation', unit: 'ops', stacked: true },
          description: 'Tries and confirms (or cancels) are as many, where nothing is repeated.',
          queries: [
            {
              expr: `sum by (participant, operation) (${perSecond('ordertx_participant_calls_total')})`,
              legend: '{{participant}} {{operation}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Length of a call', unit: 's' },
          description:
            'Without waiting for a place at the endpoint. Near timeoutSeconds of the flow: answers begin to be missing.',
          queries: [
            {
              expr: quantile(0.5, 'ordertx_participant_call_seconds', ['participant', 'operation']),
              legend: '{{participant}} {{operation}} p50',
            },
            {
              expr: quantile(0.99, 'ordertx_participant_call_seconds', ['participant', 'operation']),
              legend: '{{participant}} {{operation}} p99',
            },
          ],
        }),
        lines({
          ...{ title: 'Under way and waiting', unit: 'short' },
          description:
            'Waiting for a place (maxConcurrency), for its turn at one that answers nobody, or for a token. Waiting that stays: too slow for the load.',
          queries: [
            { expr: `sum(${of('ordertx_participant_calls_under_way')})`, legend: 'under way' },
            { expr: `sum(${of('ordertx_participant_calls_waiting')})`, legend: 'of those, waiting' },
          ],
        }),
        lines({
          ...{ title: 'Endpoints that answer nobody', unit: 'short', width: 24 },
          description:
            '1 while an endpoint is asked by turns, once a second. Endpoints that never failed are not listed.',
          queries: [{ expr: `max by (endpoint) (${of('ordertx_participant_breaker_open')})`, legend: '{{endpoint}}' }],
        }),
      ],
    },
    {
      title: 'As they see themselves',
      panels: [
        lines({
          ...{ title: 'Calls at the fence a second, by outcome', unit: 'ops', stacked: true },
          description: 'Done is new work, replayed the same answer again. Later is 425; a code is a 409.',
          queries: [
            {
              expr: `sum by (service, outcome) (${perSecond('ordertx_fence_calls_total')})`,
              legend: '{{service}} {{outcome}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Calls at the fence a second, by path', unit: 'ops', stacked: true },
          description: 'Which flows ask for what.',
          queries: [
            {
              expr: `sum by (service, path, operation) (${perSecond('ordertx_fence_calls_total')})`,
              legend: '{{service}} {{path}} {{operation}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Calls that came twice, late or for nothing, a second', unit: 'ops' },
          description: 'Repeated calls are harmless by the fence; what is not normal is on the board Stuck.',
          queries: [
            {
              expr: `sum by (service, anomaly) (${perSecond('ordertx_fence_anomalies_total')})`,
              legend: '{{service}}: {{anomaly}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Oldest branch without an end', unit: 's' },
          description: 'Grows while a transaction has no end; 0 without one.',
          queries: [{ expr: `max by (service) (${of('ordertx_fence_open_oldest_seconds')})`, legend: '{{service}}' }],
        }),
      ],
    },
    {
      title: 'Routes and databases',
      panels: [
        lines({
          ...{ title: 'Requests a second, by service and route', unit: 'reqps', stacked: true },
          description: 'By declared route; ids are not told apart.',
          queries: [
            {
              expr: `sum by (service, method, route) (${perSecond('http_request_duration_seconds_count')})`,
              legend: '{{service}} {{method}} {{route}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Answers, p99, by service and route', unit: 's' },
          description: 'A route that is slow alone: its statement. All of one service: its database.',
          queries: [
            {
              expr: quantile(0.99, 'http_request_duration_seconds', ['service', 'route']),
              legend: '{{service}} {{route}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Connections to databases', unit: 'short', stacked: true },
          description: 'Waiting are requests that wait for a connection: the pool is too small, or the database slow.',
          queries: [
            {
              expr: `sum by (service, pool, state) (${of('postgres_pool_connections')})`,
              legend: '{{service}} {{pool}} {{state}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Event loop lag of services, p99', unit: 's' },
          description: 'Above 0.1 s a service is too busy to answer in time.',
          queries: [
            {
              expr: `max by (job, instance) (${of('nodejs_eventloop_lag_p99_seconds')})`,
              legend: '{{job}} {{instance}}',
            },
          ],
        }),
      ],
    },
  ],
};
