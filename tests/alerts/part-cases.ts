/**
 * When the alerts about parts of the system fire, and those about what must not be, and when they do not.
 */
import { grows, stays, type Case } from './case.ts';

const OF_PARTS: readonly Case[] = [
  {
    alert: 'OrdertxNoController',
    fires: {
      series: { 'up{job="order"}': stays(1) },
      at: '3m',
      labels: {},
      summary: 'no controller is scraped',
      command: 'kubectl ordertx check',
    },
    quiet: [
      { why: 'one of two is there', series: { 'ordertx_redis_up{instance="b"}': stays(0) }, at: '9m' },
      { why: 'it is a restart', series: { ordertx_redis_up: '1+0x4 _x2 1+0x100' }, at: '4m' },
    ],
  },
  {
    alert: 'OrdertxRedisAway',
    fires: {
      series: { 'ordertx_redis_up{instance="a"}': stays(0), 'ordertx_redis_up{instance="b"}': stays(0) },
      at: '1m',
      labels: {},
      summary: 'no controller reaches Redis: messages wait',
      command: 'kubectl ordertx check',
    },
    quiet: [
      {
        why: 'one reaches it',
        series: { 'ordertx_redis_up{instance="a"}': stays(0), 'ordertx_redis_up{instance="b"}': stays(1) },
        at: '9m',
      },
    ],
  },
  {
    alert: 'OrdertxCannotPublish',
    fires: {
      series: { 'ordertx_broker_trouble{job="controller",doing="publish"}': stays(1) },
      at: '1m',
      labels: { job: 'controller' },
      summary: 'controller cannot publish: Redis is away, read-only or full',
      command: 'kubectl ordertx incidents',
    },
    quiet: [
      { why: 'it can', series: { 'ordertx_broker_trouble{job="controller",doing="publish"}': stays(0) }, at: '9m' },
    ],
  },
  {
    alert: 'OrdertxBrokerTrouble',
    fires: {
      series: { 'ordertx_broker_trouble{job="wms",doing="send receipts"}': stays(1) },
      at: '3m',
      labels: { job: 'wms', doing: 'send receipts' },
      summary: 'wms cannot send receipts',
    },
    quiet: [
      {
        why: 'publishing has an alert of its own',
        series: { 'ordertx_broker_trouble{job="wms",doing="publish"}': stays(1) },
        at: '9m',
      },
    ],
  },
  {
    alert: 'OrdertxNobodyWorks',
    fires: {
      series: {
        'leader_election_master_status{name="shop-ordertx-shard-0-of-2",instance="a"}': stays(0),
        'leader_election_master_status{name="shop-ordertx-shard-0-of-2",instance="b"}': stays(0),
      },
      at: '2m',
      labels: { name: 'shop-ordertx-shard-0-of-2' },
      summary: 'no controller works on the shard of Lease shop-ordertx-shard-0-of-2',
      command: 'kubectl ordertx check',
    },
    quiet: [
      {
        why: 'the Lease is another operator’s',
        series: { 'leader_election_master_status{name="cert-manager-controller"}': stays(0) },
        at: '9m',
      },
      {
        why: 'one does',
        series: {
          'leader_election_master_status{name="ordertx-shard-0-of-2",instance="a"}': stays(0),
          'leader_election_master_status{name="ordertx-shard-0-of-2",instance="b"}': stays(1),
        },
        at: '9m',
      },
    ],
  },
  {
    alert: 'OrdertxCrdUnfit',
    fires: {
      series: {
        'ordertx_crd_unfit{crd="ordertransactions.ordertx.dev",instance="new"}': stays(1),
        'ordertx_crd_unfit{crd="ordertransactions.ordertx.dev",instance="old"}': stays(0),
      },
      at: '3m',
      labels: { crd: 'ordertransactions.ordertx.dev' },
      summary: 'the CRD ordertransactions.ordertx.dev is older than a controller needs',
      command: 'kubectl ordertx check',
    },
    quiet: [
      { why: 'it fits', series: { 'ordertx_crd_unfit{crd="ordertransactions.ordertx.dev"}': stays(0) }, at: '9m' },
      {
        why: 'the CRDs came a minute after the controller',
        series: { 'ordertx_crd_unfit{crd="ordertransactions.ordertx.dev"}': '1+0x2 0+0x100' },
        at: '4m',
      },
    ],
  },
  {
    alert: 'OrdertxLeaseTrouble',
    fires: {
      series: { 'ordertx_lease_trouble{name="ordertx-0"}': stays(1) },
      at: '6m',
      labels: { name: 'ordertx-0' },
      summary: 'the Lease ordertx-0 cannot be read or written',
    },
    quiet: [{ why: 'it is for a moment', series: { 'ordertx_lease_trouble{name="ordertx-0"}': stays(1) }, at: '4m' }],
  },
  {
    alert: 'OrdertxShardsDiffer',
    fires: {
      series: { ordertx_replicas_counting_shards_differently: stays(1) },
      at: '11m',
      labels: {},
      summary: 'controllers with different ORDERTX_SHARDS run side by side',
    },
    quiet: [{ why: 'it is a rollout', series: { ordertx_replicas_counting_shards_differently: stays(1) }, at: '9m' }],
  },
  {
    alert: 'OrdertxHearsNothing',
    fires: {
      series: { 'ordertx_informer_last_event_age_seconds{kind="OrderTransaction"}': stays(400) },
      at: '1m',
      labels: { kind: 'OrderTransaction' },
      summary: 'a controller has heard nothing of OrderTransaction for 6m 40s',
      command: 'kubectl ordertx check',
    },
    quiet: [
      {
        why: 'nothing happens, and it is told so every minute',
        series: { 'ordertx_informer_last_event_age_seconds{kind="OrderTransaction"}': stays(70) },
        at: '9m',
      },
    ],
  },
  {
    alert: 'OrdertxNamespaceForbidden',
    fires: {
      series: { 'ordertx_namespace_forbidden{watched="north"}': stays(1) },
      at: '3m',
      labels: { watched: 'north' },
      summary: 'the controller may not read north: transactions there stand still',
      command: 'kubectl get role,rolebinding --namespace north',
    },
    quiet: [
      {
        why: 'the namespace was made just now, and its Role a little later',
        series: { 'ordertx_namespace_forbidden{watched="north"}': stays(1) },
        at: '1m',
      },
    ],
  },
  {
    alert: 'OrdertxArchiveFails',
    fires: {
      series: { ordertx_archive_failing: stays(1) },
      at: '16m',
      labels: {},
      summary: 'the archive does not take what is to be removed',
    },
    quiet: [{ why: 'its database is restarted', series: { ordertx_archive_failing: stays(1) }, at: '14m' }],
  },
  {
    alert: 'OrdertxRemovalFails',
    fires: {
      series: { ordertx_removal_failing: stays(0), ordertx_removal_overdue_seconds: stays(4000) },
      at: '16m',
      labels: {},
      summary: 'ended transactions are not removed, and fill etcd',
    },
    quiet: [
      {
        why: 'they are removed by the minute',
        series: { ordertx_removal_failing: stays(0), ordertx_removal_overdue_seconds: stays(90) },
        at: '30m',
      },
      {
        why: 'the archive is away, which has an alert of its own',
        series: {
          ordertx_removal_failing: stays(0),
          ordertx_removal_overdue_seconds: stays(4000),
          ordertx_archive_failing: stays(1),
        },
        at: '30m',
      },
    ],
  },
  {
    alert: 'OrdertxClockSkew',
    fires: {
      series: { 'ordertx_clock_skew_seconds{job="order",against="database"}': stays(-8) },
      at: '6m',
      labels: { job: 'order', against: 'database' },
      summary: 'the clock of order and that of database are 8s apart',
    },
    quiet: [
      {
        why: 'it is a second',
        series: { 'ordertx_clock_skew_seconds{job="order",against="database"}': stays(1) },
        at: '9m',
      },
    ],
  },
];

const MUST_NOT_BE: readonly Case[] = [
  {
    alert: 'OrdertxFenceContradiction',
    fires: {
      series: {
        'ordertx_fence_anomalies_total{service="order",path="/tcc/pay-order",anomaly="cancel-after-confirm"}': grows(1),
      },
      at: '5m',
      labels: { service: 'order', path: '/tcc/pay-order', anomaly: 'cancel-after-confirm' },
      summary: 'order was told cancel-after-confirm at /tcc/pay-order: was a store put back?',
    },
    quiet: [
      {
        why: 'duplicates are usual',
        series: {
          'ordertx_fence_anomalies_total{service="order",path="/tcc/pay-order",anomaly="duplicate"}': grows(9),
        },
        at: '5m',
      },
    ],
  },
  {
    alert: 'OrdertxForgedMessages',
    fires: {
      series: { 'ordertx_messages_handled_total{stream="member",outcome="foreign"}': grows(1) },
      at: '5m',
      labels: { stream: 'member', outcome: 'foreign' },
      summary: 'messages or receipts that their sender may not send',
    },
    quiet: [
      {
        why: 'a restart of the controller leaves some receipts of what it sent before',
        series: { 'ordertx_receipts_dropped_total{job="controller",why="unproven"}': grows(1) },
        at: '20m',
      },
    ],
  },
  {
    alert: 'OrdertxUnanswerable',
    fires: {
      series: { 'ordertx_messages_unanswerable{service="member"}': stays(1) },
      at: '1m',
      labels: { service: 'member' },
      summary: 'nonsense lies on the stream of member',
    },
    quiet: [
      { why: 'there is none', series: { 'ordertx_messages_unanswerable{service="member"}': stays(0) }, at: '1m' },
    ],
  },
];

export const PARTS: readonly Case[] = [...OF_PARTS, ...MUST_NOT_BE];
