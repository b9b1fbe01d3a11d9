/**
 * One order in the archive: what became of its transactions, branch by branch and message by message, long after they were removed.
 *
 * It asks the archive's own database, with a role that may read one table (docs/operating/dashboards.md). Each statement walks an index
 * of the archive for one order or one name, so that a table of many millions answers as fast as a small one; only the last panel reads the
 * range of time that is shown.
 */
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { datasource, type Board } from './board.ts';
import { bars, rows } from './panels.ts';

/** As an order or as a transaction: each by its own index. `union` takes what is both only once. */
const FOUND = `select namespace, finished_at, uid from ordertx_archive where namespace = \${namespace:sqlstring} and order_id = \${search:sqlstring}
  union
  select namespace, finished_at, uid from ordertx_archive where namespace = \${namespace:sqlstring} and name = \${search:sqlstring}`;

const ROWS_MAX = 100;

const found = (columns: string, more = '', order = ''): string => `with found as (
  ${FOUND}
)
select ${columns}
from found join ordertx_archive archived using (namespace, finished_at, uid)${more}
order by archived.finished_at desc${order}
limit ${ROWS_MAX}`;

const textbox = (name: string, label: string, value: string, description: string) =>
  new dashboard.TextBoxVariableBuilder(name)
    .label(label)
    .description(description)
    .defaultValue(value)
    .current({ selected: true, text: value, value });

const TO_ORDER = {
  title: 'its order',
  url: '/d/ordertx-archive?${__url_time_range}&var-datasource=${datasource}&var-namespace=${namespace}&var-search=${__value.raw}',
};

export const archive: Board = {
  uid: 'ordertx-archive',
  title: 'ordertx / Order look-up',
  description:
    'What became of an order whose transactions were removed from the API server. Asks the archive (ARCHIVE_DATABASE_URL of the controllers) as a Postgres data source.',
  from: 'now-24h',
  variables: [
    datasource('grafana-postgresql-datasource'),
    textbox('namespace', 'Namespace', 'default', 'Where the transactions were.'),
    textbox('search', 'Order or transaction', '', 'An order id, or a transaction’s name: o1001, pay-p2001.'),
  ],
  rows: [
    {
      title: 'The order',
      panels: [
        rows({
          ...{
            title: 'Transactions',
            unit: 'string',
            units: { began: 'dateTimeAsIso', ended: 'dateTimeAsIso', seconds: 's' },
          },
          description:
            'The latest first. Abandoned: a person gave it up. Nothing here: it is not removed yet (`kubectl get otx`), or was never.',
          links: { order: TO_ORDER },
          sql: found(`archived.name as transaction, archived.order_id as order, archived.flow, archived.outcome,
  archived.object->'status'->>'decisionReason' as reason,
  archived.object->'status'->>'message' as message,
  (archived.object->'metadata'->>'creationTimestamp')::timestamptz as began, archived.finished_at as ended,
  extract(epoch from archived.finished_at - (archived.object->'metadata'->>'creationTimestamp')::timestamptz)::int as seconds`),
        }),
        rows({
          ...{ title: 'Branches', unit: 'string', width: 12, units: { attempts: 'short' } },
          description:
            'What each participant was brought to, how often it was asked where that was more than once, and what it said last against it.',
          sql: found(
            `archived.name as transaction, branch->>'name' as participant, branch->>'state' as state,
  (branch->>'attempts')::int as attempts, branch->>'lastError' as "last error"`,
            `, json_array_elements(archived.object->'status'->'branches') branch`,
          ),
        }),
        rows({
          ...{ title: 'Messages', unit: 'string', width: 12, units: { attempts: 'short' } },
          description: 'Which messages the decision brought about, and what became of them.',
          sql: found(
            `archived.name as transaction, message->>'name' as message, message->>'delivery' as delivery, message->>'state' as state,
  (message->>'attempts')::int as attempts, message->>'lastError' as "last error"`,
            `, json_array_elements(archived.object->'status'->'messages') message`,
          ),
        }),
        rows({
          ...{ title: 'What people did', unit: 'string', height: 6 },
          description:
            'Branches and messages that were settled by hand, with the reason given, and a cancel that was asked for.',
          sql: found(
            `archived.name as transaction, resolution->>'target' as target, resolution->>'as' as "settled as", resolution->>'reason' as reason,
  archived.object->'spec'->>'cancelRequested' as "cancel requested"`,
            ` left join json_array_elements(archived.object->'spec'->'resolutions') resolution on true`,
          ),
        }),
      ],
    },
    {
      title: 'All orders',
      panels: [
        bars({
          ...{ title: 'Ended, by outcome', unit: 'short' },
          description: 'Transactions in the archive by the time of their end, in the range that is shown.',
          sql: `select $__timeGroupAlias(finished_at, $__interval), outcome as metric, count(*) as value
from ordertx_archive
where namespace = \${namespace:sqlstring} and $__timeFilter(finished_at)
group by 1, 2
order by 1`,
        }),
        rows({
          ...{ title: 'Ended last', unit: 'string', units: { ended: 'dateTimeAsIso' } },
          description: 'In the range that is shown. A click on an order looks it up above.',
          links: { order: TO_ORDER },
          sql: `select order_id as order, name as transaction, flow, outcome, finished_at as ended
from ordertx_archive
where namespace = \${namespace:sqlstring} and $__timeFilter(finished_at)
order by finished_at desc
limit ${ROWS_MAX}`,
        }),
      ],
    },
  ],
};
