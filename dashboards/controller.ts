/**
 * The controller from inside: its loop, its queue, what it asks of the API server, what it removes, and the process itself.
 */
import { processes, type Board } from './board.ts';
import { lines, of, perSecond, quantile } from './panels.ts';

export const controller: Board = {
  uid: 'ordertx-controller',
  title: 'ordertx / Controller',
  description: 'The reconcile loop, its queue, the API server as it sees it, removal, and the processes.',
  variables: processes('workqueue_depth'),
  rows: [
    {
      title: 'Loop and queue',
      panels: [
        lines({
          ...{ title: 'Passes a second, by result', unit: 'ops', stacked: true },
          description: 'Errors are conflicts or an API server that does not answer; a few after a restart are normal.',
          queries: [
            { expr: `sum by (result) (${perSecond('controller_runtime_reconcile_total')})`, legend: '{{result}}' },
          ],
        }),
        lines({
          ...{ title: 'Length of a pass', unit: 's' },
          description:
            'Calls to participants are not part of a pass; status writes are. Long passes: the API server is slow.',
          queries: [
            { expr: quantile(0.5, 'controller_runtime_reconcile_time_seconds', []), legend: 'p50' },
            { expr: quantile(0.99, 'controller_runtime_reconcile_time_seconds', []), legend: 'p99' },
          ],
        }),
        lines({
          ...{ title: 'Keys that wait for a worker', unit: 'short' },
          description: 'Normal: near 0. Where it stays up, the controller is too small for its load (sizing).',
          queries: [{ expr: `sum by (instance) (${of('workqueue_depth')})`, legend: '{{instance}}' }],
        }),
        lines({
          ...{ title: 'How long keys wait, and the slowest worker', unit: 's' },
          description: 'A worker that is at one key for seconds waits for the API server.',
          queries: [
            { expr: quantile(0.99, 'workqueue_queue_duration_seconds', []), legend: 'wait p99' },
            { expr: quantile(0.99, 'workqueue_work_duration_seconds', []), legend: 'work p99' },
            { expr: `max(${of('workqueue_longest_running_processor_seconds')})`, legend: 'slowest running' },
          ],
        }),
        lines({
          ...{ title: 'Keys added a second', unit: 'ops' },
          description: 'Later are retries and deadlines. Many of those with few others: something fails.',
          queries: [
            { expr: `sum(${perSecond('workqueue_adds_total')})`, legend: 'added' },
            { expr: `sum(${perSecond('workqueue_retries_total')})`, legend: 'for later' },
          ],
        }),
        lines({
          ...{ title: 'Shards by replica', unit: 'short', stacked: true },
          description:
            'Leases that a replica works on. The sum is ORDERTX_SHARDS; more of it only while shards change hands.',
          queries: [
            { expr: `sum by (instance) (${of('leader_election_master_status')})`, legend: '{{instance}}' },
            { expr: `sum(${of('ordertx_lease_trouble')})`, legend: 'Leases that cannot be read or written' },
          ],
        }),
      ],
    },
    {
      title: 'API server',
      panels: [
        lines({
          ...{ title: 'Requests a second, by method and code', unit: 'reqps', stacked: true },
          description: '409 are conflicts, harmless. 429 and 5xx: it is overloaded or away.',
          queries: [
            {
              expr: `sum by (method, code) (${perSecond('rest_client_requests_total')})`,
              legend: '{{method}} {{code}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Status writes a second, by why and result', unit: 'ops', stacked: true },
          description:
            'Two for a transaction without trouble: its decision and its end. News are told within a write a minute.',
          queries: [
            {
              expr: `sum by (why, result) (${perSecond('ordertx_status_writes_total')})`,
              legend: '{{why}} {{result}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Status writes for each transaction', unit: 'short' },
          description: 'On average, of those that ended. 2 on the usual way; more where there was trouble.',
          queries: [
            {
              expr: `sum by (flow) (${perSecond('ordertx_transaction_status_writes_sum')}) / sum by (flow) (${perSecond('ordertx_transaction_status_writes_count')})`,
              legend: '{{flow}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Since the API server last said something', unit: 's' },
          description: 'It does at least once a minute for every kind. Minutes: that informer is deaf.',
          queries: [{ expr: `max by (kind) (${of('ordertx_informer_last_event_age_seconds')})`, legend: '{{kind}}' }],
        }),
        lines({
          ...{ title: 'Complete lists taken', unit: 'short' },
          description: 'One for each kind and replica at its start. More: its watches break and cannot be continued.',
          queries: [
            {
              expr: `sum by (kind) (increase(${of('ordertx_informer_lists_total')}[$__rate_interval]))`,
              legend: '{{kind}}',
            },
          ],
        }),
        lines({
          ...{ title: 'Clocks', unit: 's' },
          description:
            'How far clocks are apart, by process and whose it is compared with. Above 5 s deadlines are wrong by as much.',
          queries: [
            {
              expr: `max by (job, against) (abs(${of('ordertx_clock_skew_seconds')}))`,
              legend: '{{job}}: {{against}}',
            },
          ],
        }),
      ],
    },
    {
      title: 'Removal and archive',
      panels: [
        lines({
          ...{ title: 'Removed a second, by result', unit: 'ops', stacked: true },
          description: 'Over time as many as are created. Refused and unarchivable stay, and fill etcd.',
          queries: [{ expr: `sum by (result) (${perSecond('ordertx_removals_total')})`, legend: '{{result}}' }],
        }),
        lines({
          ...{ title: 'Overdue, and what stops it', unit: 's' },
          description:
            'How long the oldest ended transaction might have been gone: up to a minute or two. The others are 1 while removal or archive fail.',
          queries: [
            { expr: `max(${of('ordertx_removal_overdue_seconds')})`, legend: 'overdue' },
            { expr: `max(${of('ordertx_removal_failing')})`, legend: 'removal fails' },
            { expr: `max(${of('ordertx_archive_failing')})`, legend: 'archive fails' },
          ],
        }),
      ],
    },
    {
      title: 'Processes',
      panels: [
        lines({
          ...{ title: 'CPU', unit: 'short', width: 8 },
          description: 'Cores. One process uses little more than one: at 0.9 for long, add replicas and shards.',
          queries: [{ expr: `sum by (instance) (${perSecond('process_cpu_seconds_total')})`, legend: '{{instance}}' }],
        }),
        lines({
          ...{ title: 'Memory', unit: 'bytes', width: 8 },
          description:
            'Resident, and of it the heap that JavaScript uses. It follows the number of transactions that are not removed yet.',
          queries: [
            { expr: `max by (instance) (${of('process_resident_memory_bytes')})`, legend: '{{instance}} resident' },
            { expr: `max by (instance) (${of('nodejs_heap_size_used_bytes')})`, legend: '{{instance}} heap' },
          ],
        }),
        lines({
          ...{ title: 'Event loop lag, p99', unit: 's', width: 8 },
          description: 'Above 0.1 s the process is too busy to answer in time.',
          queries: [{ expr: `max by (instance) (${of('nodejs_eventloop_lag_p99_seconds')})`, legend: '{{instance}}' }],
        }),
      ],
    },
  ],
};
