/**
 * When each alert is to fire, and when it is not although something is there.
 */
import { grows, stays, type Case } from './case.ts';
import { PARTS } from './part-cases.ts';

const COUNT = 'ordertx_transaction_duration_seconds_count{flow="pay-order"}';
/** How Prometheus writes the bound: before version 3, and from it on. */
const IN_TIME = ['30', '30.0'].map((le) => `ordertx_transaction_duration_seconds_bucket{flow="pay-order",le="${le}"}`);
const [IN_TIME_BEFORE_3 = '', IN_TIME_FROM_3 = ''] = IN_TIME;

const TRANSACTIONS: readonly Case[] = [
  {
    alert: 'OrdertxTransactionsStuck',
    fires: {
      series: {
        'ordertx_transactions_stuck{flow="pay-order",target="inventory",instance="a"}': stays(2),
        'ordertx_transactions_stuck{flow="pay-order",target="inventory",instance="b"}': stays(1),
      },
      at: '1m',
      labels: { flow: 'pay-order', target: 'inventory' },
      summary: '3 transactions of pay-order are stuck, waiting for inventory',
      command: 'kubectl ordertx incidents',
    },
    quiet: [
      {
        why: 'none is',
        series: { 'ordertx_transactions_stuck{flow="pay-order",target="inventory"}': stays(0) },
        at: '1m',
      },
    ],
  },
  {
    alert: 'OrdertxTransactionsFailing',
    fires: {
      series: { 'ordertx_transactions_failing{flow="pay-order",target="points"}': stays(5) },
      at: '2m',
      labels: { flow: 'pay-order', target: 'points' },
      summary: '5 transactions of pay-order fail at points',
      command: 'kubectl ordertx incidents --flow pay-order',
    },
    quiet: [
      {
        why: 'it was over within the minute, like a restart',
        series: { 'ordertx_transactions_failing{flow="pay-order",target="points"}': '0+0x2 5 5 0+0x20' },
        at: '2m',
      },
    ],
  },
  {
    alert: 'OrdertxParticipantAnswersNobody',
    fires: {
      series: { 'ordertx_participant_breaker_open{endpoint="http://inventory:8080"}': stays(1) },
      at: '1m',
      labels: { endpoint: 'http://inventory:8080' },
      summary: 'nobody is answered at http://inventory:8080',
      command: 'kubectl ordertx incidents',
    },
    quiet: [
      {
        why: 'it answered again at once',
        series: { 'ordertx_participant_breaker_open{endpoint="http://inventory:8080"}': '1 0+0x20' },
        at: '1m',
      },
    ],
  },
  {
    alert: 'OrdertxMessagesRefused',
    fires: {
      series: { 'ordertx_message_receipts_total{consumer="wms",result="refused"}': grows(1) },
      at: '6m',
      labels: { consumer: 'wms' },
      summary: 'wms refuses messages',
      command: 'kubectl ordertx incidents',
    },
    quiet: [
      {
        why: 'that was long ago',
        series: { 'ordertx_message_receipts_total{consumer="wms",result="refused"}': stays(7) },
        at: '6m',
      },
    ],
  },
  {
    alert: 'OrdertxConsumerBehind',
    fires: {
      series: { 'ordertx_inbox_oldest_seconds{stream="wms"}': stays(150) },
      at: '2m',
      labels: { stream: 'wms' },
      summary: 'the oldest message for wms has waited for 2m 30s',
    },
    quiet: [
      { why: 'it is behind by less', series: { 'ordertx_inbox_oldest_seconds{stream="wms"}': stays(120) }, at: '9m' },
    ],
  },
  {
    alert: 'OrdertxOutboxWaits',
    fires: {
      series: { 'ordertx_outbox_oldest_seconds{service="payment"}': stays(400) },
      at: '1m',
      labels: { service: 'payment' },
      summary: 'a message of payment has had no receipt for 6m 40s',
    },
    quiet: [
      { why: 'its age is usual', series: { 'ordertx_outbox_oldest_seconds{service="payment"}': stays(300) }, at: '9m' },
    ],
  },
  {
    alert: 'OrdertxOutboxRefused',
    fires: {
      series: { 'ordertx_outbox_refused{service="wms"}': stays(1) },
      at: '1m',
      labels: { service: 'wms' },
      summary: 'messages of wms were refused, and are parked until a person looks',
    },
    quiet: [{ why: 'none is parked', series: { 'ordertx_outbox_refused{service="wms"}': stays(0) }, at: '1m' }],
  },
  {
    alert: 'OrdertxCreationsFail',
    fires: {
      series: { 'ordertx_order_creations_total{result="unavailable"}': grows(1) },
      at: '15m',
      labels: {},
      summary: 'the API server does not take transactions: 10 attempts in five minutes came to nothing',
    },
    quiet: [
      {
        why: 'the API server takes them',
        series: {
          'ordertx_order_creations_total{result="created"}': grows(9),
          'ordertx_order_creations_total{result="unavailable"}': stays(3),
        },
        at: '15m',
      },
      {
        why: 'it is for a moment',
        series: { 'ordertx_order_creations_total{result="unavailable"}': grows(1) },
        at: '4m',
      },
    ],
  },
  {
    alert: 'OrdertxCreationsRefused',
    fires: {
      series: { 'ordertx_order_creation_outbox_rows{state="refused"}': stays(2) },
      at: '1m',
      labels: { state: 'refused' },
      summary: '2 orders have no transaction: their creation was refused',
    },
    quiet: [
      { why: 'they wait', series: { 'ordertx_order_creation_outbox_rows{state="waiting"}': stays(50) }, at: '1m' },
    ],
  },
  {
    alert: 'OrdertxClosesFail',
    fires: {
      series: { ordertx_order_closes_failing: stays(4) },
      at: '1m',
      labels: {},
      summary: '4 orders cannot be closed: their stock stays frozen',
    },
    quiet: [{ why: 'none does', series: { ordertx_order_closes_failing: stays(0) }, at: '1m' }],
  },
  {
    alert: 'OrdertxRefundsWait',
    fires: {
      series: { ordertx_payment_refunds_oldest_seconds: stays(4000) },
      at: '1m',
      labels: {},
      summary: 'the payment provider has not taken a refund for 1h 6m 40s',
    },
    quiet: [
      { why: 'it is not an hour yet', series: { ordertx_payment_refunds_oldest_seconds: stays(3600) }, at: '1m' },
    ],
  },
  {
    alert: 'OrdertxOnHold',
    fires: {
      series: { 'ordertx_flow_holds{flow="pay-order",target="points"}': stays(1) },
      at: '1m',
      labels: { flow: 'pay-order', target: 'points' },
      summary: 'points is on hold in pay-order',
      command: 'kubectl ordertx flows',
    },
    quiet: [
      { why: 'nothing is', series: { 'ordertx_flow_holds{flow="pay-order",target="points"}': stays(0) }, at: '1m' },
    ],
  },
  {
    alert: 'OrdertxHoldForgotten',
    fires: {
      series: { 'ordertx_flow_holds{flow="pay-order",target="points"}': '1+0x1000' },
      at: '8h1m',
      labels: { flow: 'pay-order', target: 'points' },
      summary: 'points is still on hold in pay-order: was it forgotten?',
      command: 'kubectl ordertx flows',
    },
    quiet: [
      {
        why: 'it is maintenance',
        series: { 'ordertx_flow_holds{flow="pay-order",target="points"}': '1+0x1000' },
        at: '7h59m',
      },
    ],
  },
];

const LATE: readonly Case[] = [
  {
    alert: 'OrdertxTransactionsLate',
    fires: {
      series: { [COUNT]: grows(40), [IN_TIME_BEFORE_3]: grows(28) },
      at: '1h10m',
      labels: { flow: 'pay-order' },
      summary: '30% of the transactions of pay-order take longer than 30 s',
      command: 'kubectl ordertx top',
    },
    quiet: [
      { why: 'one in twenty is', series: { [COUNT]: grows(40), [IN_TIME_BEFORE_3]: grows(38) }, at: '1h10m' },
      {
        why: 'it is over',
        series: { [COUNT]: grows(40), [IN_TIME_BEFORE_3]: '0+20x120 2440+40x100' },
        at: '1h10m',
      },
      {
        why: 'it is one of a few at night',
        series: { [COUNT]: '0+0x120 1+0x300', [IN_TIME_BEFORE_3]: stays(0) },
        at: '1h4m',
      },
    ],
  },
  {
    alert: 'OrdertxTransactionsLateForHours',
    fires: {
      series: { [COUNT]: grows(40), [IN_TIME_FROM_3]: grows(36) },
      at: '6h30m',
      labels: { flow: 'pay-order' },
      summary: '10% of the transactions of pay-order take longer than 30 s, for hours',
      command: 'kubectl ordertx top',
    },
    quiet: [{ why: 'one in twenty is', series: { [COUNT]: grows(40), [IN_TIME_FROM_3]: grows(38) }, at: '6h30m' }],
  },
];

export const CASES: readonly Case[] = [...TRANSACTIONS, ...LATE, ...PARTS];
