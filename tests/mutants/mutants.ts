/**
 * Ways to break ordertx that its tests must see.
 *
 * Each is one plausible mistake against one promise of the design, made where that promise is kept: `find` stands exactly
 * once in `file` and becomes `replace`. `tests` are those that exist because of that promise; at least one of them has to
 * fail. tests/mutants/run.ts makes the mistakes, one at a time, in a copy.
 */
export interface Mutant {
  /** What the broken code does. */
  readonly name: string;
  /** Which promise that breaks. */
  readonly breaks: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
}

export const mutants: readonly Mutant[] = [
  {
    name: 'managed fields are taken from what people apply too',
    breaks: 'what kubectl apply --server-side created, it changes without a conflict',
    file: 'crds/managed-fields.yaml',
    find: "m.operation == 'Update' && !m.manager.startsWith('kubectl')",
    replace: "m.manager != ''",
    tests: ['tests/crds/people-write.real.test.ts'],
  },
  {
    name: 'the delete guard lets what is being confirmed pass as finished',
    breaks: 'what is unfinished is not deleted by mistake',
    file: 'crds/guards.yaml',
    find: "!(oldObject.status.phase in ['Succeeded', 'Cancelled'])\n  variables:",
    replace: "!(oldObject.status.phase in ['Confirming', 'Succeeded', 'Cancelled'])\n  variables:",
    tests: ['tests/crds/guards.real.test.ts'],
  },
  {
    name: 'a migration waits for its table for as long as it takes',
    breaks: 'nobody waits behind a change of the schema for longer than its lock_timeout',
    file: 'services/kit/src/postgres/migrate.ts',
    find: 'set statement_timeout = 0; set lock_timeout = ${lockTimeoutMs}',
    replace: 'set statement_timeout = 0; set lock_timeout = ${0 * lockTimeoutMs}',
    tests: ['services/kit/src/postgres/migrate.real.test.ts'],
  },
  {
    name: 'an index whose build was cut off is taken for whole',
    breaks: 'a concurrent build that was killed half way is mended by the next start',
    file: 'services/kit/src/postgres/concurrent-index.ts',
    find: "  if (state === 'valid') return;",
    replace: "  if (state !== 'missing') return;",
    tests: ['services/kit/src/postgres/migrate.real.test.ts', 'tests/rolling/three-replicas.real.test.ts'],
  },
  {
    name: 'a signature counts for ever',
    breaks: 'an old call of the payment provider, or an old quote, is of no use to whoever kept it',
    file: 'services/kit/src/http/signature.ts',
    find: '  if (ageSeconds > ageSecondsMax) return',
    replace: '  if (ageSeconds > Infinity) return',
    tests: ['services/payment/src/http/signature.test.ts', 'services/order/src/http/quoted-order.real.test.ts'],
  },
  {
    name: 'a key set that cannot be read again is thrown away',
    breaks: 'participants keep the keys of tokens for hours while /jwks is away',
    file: 'services/kit/src/auth/keys.ts',
    find: 'export const KEPT_MS_MAX = 24 * 60 * 60 * 1_000;',
    replace: 'export const KEPT_MS_MAX = 10 * 60 * 1_000;',
    tests: ['services/kit/src/auth/keys.test.ts'],
  },
  {
    name: 'what a newer version has written in a branch goes with its next answer',
    breaks: 'a status field that this version does not know survives its writes',
    file: 'controller/src/transaction/carried.ts',
    find: '  return carried(BRANCH, before, after);',
    replace: '  return before === after ? carried(BRANCH, before, after) : after;',
    tests: ['controller/src/reconcile/newer-fields.test.ts', 'tests/rolling/newer-status.real.test.ts'],
  },
  {
    name: 'an answer to a try is believed because it is stored',
    breaks:
      'T5: a stored Tried counts only for a process that has heard it, for its branch may have been cancelled since',
    file: 'controller/src/transaction/stored-answers.ts',
    find: "    state === 'Tried' && confirmedBefore !== true && !heard.has(name);",
    replace: '    false && confirmedBefore !== true && !heard.has(name) && state !== undefined;',
    tests: ['controller/src/reconcile/store-went-back.test.ts'],
  },
  {
    name: 'a payment.refund is believed without asking the order service',
    breaks: 'whoever can write to the broker gives back no payment that was applied',
    file: 'services/payment/src/messages/payment-refund.ts',
    find: '          return objectionOf(await orders.attempt({ paymentId, orderId, namespace: namespace ?? null }));\n',
    replace: "          return objectionOf({ kind: 'found', applied: false, state: 'Cancelled', transaction: '' });\n",
    tests: ['services/payment/src/messages/payment-refund.real.test.ts'],
  },
  {
    name: 'a copy of a creation in another namespace gets the order cancelled',
    breaks: 'ADR 13: a transaction that is not the order’s own ends without effect',
    file: 'services/inventory/src/branches/create-order.ts',
    find: "    if (other.state === 'TRIED') return OTHER_IS_OPEN;\n",
    replace: "    if (other.state === 'TRIED') return ALREADY_RESERVED;\n",
    tests: ['services/inventory/src/branches/copied-creation.real.test.ts'],
  },
  {
    name: 'every edit of a flow is an attempt for each of its transactions',
    breaks: 'whoever edits a flow in a loop does not take the place of the back-off',
    file: 'controller/src/transaction/calls.ts',
    find: 'pauseEndsMs(view.outdated.get(name), nowMs) ?? nowMs',
    replace: 'pauseEndsMs(view.outdated.get(name), -nowMs) ?? nowMs',
    tests: ['controller/src/reconcile/flow-edits.test.ts'],
  },
  {
    name: 'a flow that was not heard of yet is told as missing',
    breaks: 'T9: nobody is told of a missing flow before the API server was asked for it',
    file: 'controller/src/transaction/flow-guard.ts',
    find: 'return view.flowIsRead ? ',
    replace: 'return !view.flowIsRead || view.flowIsRead ? ',
    tests: ['controller/src/reconcile/flow-heard-late.test.ts', 'controller/src/kubernetes/flow-store.real.test.ts'],
  },
  {
    name: 'confirm or cancel is sent before the decision is stored',
    breaks: 'T1: the decision is stored before any confirm or cancel',
    file: 'controller/src/reconcile/reconciler.ts',
    find: '    const result = await this.#ports.transactions.writeStatus(transaction, step.status);\n',
    replace: `    const operation = step.status.decision === 'Confirm' ? 'confirm' : 'cancel';
    for (const branch of step.why === 'decision' ? (step.status.branches ?? []) : []) {
      const participant = flow?.spec.participants.find(({ name }) => name === branch.name);
      if (!participant) continue;
      const call = { transaction, participant, operation, attempt: 1, overdue: false } as const;
      const request = { current: () => call, sent: () => undefined, withdrawn: this.#ports.stopping };
      void this.#ports.participants.call(request, this.#ports.stopping);
    }
    const result = await this.#ports.transactions.writeStatus(transaction, step.status);
`,
    tests: ['controller/src/reconcile/reconciler.test.ts', 'controller/src/reconcile/any-number.test.ts'],
  },
  {
    name: 'cancel skips branches whose try was never answered',
    breaks: 'T5: cancel goes to every branch, tried or not',
    file: 'controller/src/transaction/phase.ts',
    find: "branch.state === 'Untried' : branch.state !== endStateFor(decision)",
    replace: "branch.state === 'Untried' : branch.state !== endStateFor(decision) && branch.state !== 'Untried'",
    tests: ['controller/src/reconcile/reconciler.test.ts', 'controller/src/reconcile/any-number.test.ts'],
  },
  {
    name: 'a call that waited for its place is sent although nobody wants it any more',
    breaks: 'what is sent fits the transaction as it is then: not after suspend, resolution or a needless decision',
    file: 'controller/src/reconcile/branch-calls.ts',
    find: 'branch === waiting.branch && operation === waiting.operation);',
    replace: `branch === waiting.branch && operation === waiting.operation) ?? {
      ...{ branch: waiting.branch, operation: waiting.operation },
      ...{ attempt: 1, overdue: false },
    };`,
    tests: ['controller/src/reconcile/waiting-calls.test.ts'],
  },
  {
    name: 'a repetition that waits for its place holds up the deadline',
    breaks: 'T5: the deadline waits for one answer of each branch, and for nothing else',
    file: 'controller/src/transaction/try-all.ts',
    find: 'view.asked.has(branch.name) && !view.busy.has(branch.name)',
    replace: 'view.asked.has(branch.name) && !view.busy.has(branch.name) && !view.waiting.has(branch.name)',
    tests: ['controller/src/reconcile/waiting-calls.test.ts'],
  },
  {
    name: 'tries starve beside a backlog of confirms',
    breaks: 'limits.ts, rule 2: where both wait, every fourth place goes to a try',
    file: 'controller/src/participants/limits.ts',
    find: 'return settledInARow < SETTLING_IN_A_ROW_MAX ? waiting.settling : tries;',
    replace: 'return waiting.settling;',
    tests: ['controller/src/participants/limits.test.ts'],
  },
  {
    name: 'a try that comes after the cancel runs',
    breaks: 'the fence: a late try reserves nothing',
    file: 'services/kit/src/participant/cells.ts',
    find: "return refused(stored, 'cancelled', 'This step was already cancelled, so nothing is reserved for it any more.');",
    replace: "return { kind: 'run-try' };",
    tests: ['services/kit/src/participant/fence.real.test.ts'],
  },
  {
    name: 'what comes now takes every place of the creation relay',
    breaks: 'due creations keep their share of the places, whatever comes',
    file: 'services/order/src/creation/relay.ts',
    find: 'const FRESH_MAX = CREATES_MAX - DUE_CREATES;',
    replace: 'const FRESH_MAX = CREATES_MAX;',
    tests: ['services/order/src/creation/relay.test.ts'],
  },
  {
    name: 'watches share a limited number of connections',
    breaks: 'R5: every watch has a connection of its own, however many namespaces are watched',
    file: 'controller/src/kubernetes/transport.ts',
    find: 'streams: dispatcherFor(this.#origin, credentials, null),',
    replace: 'streams: dispatcherFor(this.#origin, credentials, CONNECTIONS_MAX),',
    tests: ['controller/src/kubernetes/many-namespaces.real.test.ts'],
  },
  {
    name: 'an ended creation is forgotten',
    breaks: 'T10: ended creations are kept for a restore',
    file: 'services/order/sql/end-creation.sql',
    find: '  from ended\n)\nselect pg_notify',
    replace: '  from ended\n  where false\n)\nselect pg_notify',
    tests: ['services/order/src/creation/again.real.test.ts'],
  },
  {
    name: 'what was made again is repeated',
    breaks: 'ADR 21: one answer settles a creation that was asked for again',
    file: 'services/order/src/creation/again.ts',
    find: '      await ended.settle(transaction);\n',
    replace: "      await ended.postpone(transaction, { seconds: 1, error: '' });\n",
    tests: ['services/order/src/creation/again.real.test.ts'],
  },
  {
    name: 'what was asked before the store went back still counts',
    breaks: 'T5: no deadline decides before each missing branch was asked, also after etcd was put back',
    file: 'controller/src/reconcile/work.ts',
    find: 'else if (status?.decision !== undefined || this.#heard.has(name)) this.asked.delete(name);',
    replace: "else if (state === 'Refused') this.asked.delete(name);",
    tests: ['controller/src/reconcile/any-number.test.ts'],
  },
  {
    name: 'a number is passed on as JavaScript reads it',
    breaks: 'ADR 22: numbers arrive digit by digit',
    file: 'services/protocol/src/exact-json.ts',
    find: 'if (!MAYBE_INEXACT.test(text)) return JSON.parse(text);',
    replace: "if (text !== '') return JSON.parse(text);",
    tests: ['services/protocol/src/exact-json.test.ts'],
  },
  {
    name: 'any 2xx is believed',
    breaks: 'the participant protocol: only a fitting Ordertx-State makes a 2xx a success',
    file: 'controller/src/participants/classify.ts',
    find: `  if (state.kind !== 'known') return withoutState(status, state.kind);
  if (DONE_STATES[operation]`,
    replace: `  if (state.kind !== 'known') return { kind: 'succeeded' };
  if (DONE_STATES[operation]`,
    tests: ['controller/src/participants/classify.test.ts'],
  },
  {
    name: 'a cached copy older than the last own write is trusted',
    breaks: 'T1: nothing is decided on a copy older than what this process has stored itself',
    file: 'controller/src/kubernetes/transaction-store.ts',
    find: 'return cached !== undefined && isNewer(resourceVersionOf(cached), resourceVersionOf(own)) ? cached : own;',
    replace: 'return cached ?? own;',
    tests: ['controller/src/kubernetes/transaction-store.real.test.ts'],
  },
  {
    name: 'retrying gives up after ten attempts',
    breaks: 'T4: confirm and cancel are retried for ever',
    file: 'controller/src/transaction/calls.ts',
    find: 'branchIsOpen(branch, decision) && !view.busy.has(branch.name)',
    replace: 'branchIsOpen(branch, decision) && !view.busy.has(branch.name) && (branch.attempts ?? 0) < 10',
    tests: ['controller/src/reconcile/reconciler.test.ts'],
  },
  {
    name: 'a message is taken as handled whatever its handler said',
    breaks: 'M4: a refusal writes no inbox row, so the next publication is judged afresh',
    file: 'services/kit/src/messages/inbox.ts',
    find: "keep: handled.kind === 'delivered'",
    replace: 'keep: true',
    tests: ['services/kit/src/messages/consumer.real.test.ts'],
  },
  {
    name: 'a message counts as told once it is published',
    breaks: 'T7: a message counts as sent only when its receipt came back',
    file: 'services/kit/src/messages/relay.ts',
    find: '    if (claimed.length > 0) await this.#publish(claimed);\n',
    replace: `    if (claimed.length > 0) await this.#publish(claimed);
    if (claimed.length > 0) await removeMessages(this.#options.pool, claimed.map(({ id }) => id));
`,
    tests: ['services/kit/src/messages/relay.real.test.ts'],
  },
  {
    name: 'a payment takes an order that is being closed',
    breaks: 'ADR 12: one transaction at a time holds an order',
    file: 'services/order/src/held-order.ts',
    find: "return { kind: 'refused', detail: 'the order is being closed' };",
    replace: "return { kind: 'take' };",
    tests: ['services/order/src/held-order.test.ts'],
  },
  {
    name: 'a payment of any amount pays an order',
    breaks: 'section 1: the amount is checked',
    file: 'services/order/src/held-order.ts',
    find: 'if (asked.amountCents === totalCents) return',
    replace: 'if (asked.amountCents <= totalCents) return',
    tests: ['services/order/src/held-order.test.ts'],
  },
  {
    name: 'a finished transaction is not looked at any more',
    breaks: 'T8: removal waits for best-effort messages, whoever carries them on',
    file: 'controller/src/main.ts',
    find: 'if (needsWork(transaction.status) && concerns(transaction))',
    replace: 'if (transaction.status?.finishedAt === undefined && concerns(transaction))',
    tests: ['tests/chaos/best-effort-carried-on.real.test.ts'],
  },
  {
    name: 'deadlines go by the controller’s own clock',
    breaks: 'T5: a controller whose clock runs fast cancels nothing early',
    file: 'controller/src/runtime/remote-clock.ts',
    find: 'return highest === undefined ? this.#clock.now() : this.#clock.monotonicMs() + highest.aheadMs;',
    replace: 'return this.#clock.now();',
    tests: ['controller/src/reconcile/any-number.test.ts', 'controller/src/reconcile/reconciler.test.ts'],
  },
  {
    name: 'an empty retry token is taken for none once it was acted on',
    breaks: 'a retry request gives one attempt, then the usual back-off',
    file: 'controller/src/transaction/notice.ts',
    find: 'stored.lastHandledRetryAt !== status.lastHandledRetryAt ||',
    replace: "(stored.lastHandledRetryAt ?? '') !== (status.lastHandledRetryAt ?? '') ||",
    tests: ['controller/src/reconcile/retry-requests.test.ts'],
  },
  {
    name: 'replicas that count shards differently share their Leases',
    breaks: 'W4: whatever numbers of shards there are, no transaction is left to nobody',
    file: 'controller/src/kubernetes/shards.ts',
    find: 'return `ordertx-shard-${shard}-of-${shards}`;',
    replace: 'return `ordertx-shard-${shard}`;',
    tests: ['controller/src/kubernetes/shards.test.ts'],
  },
  {
    name: 'a Lease that cannot be taken stops the work',
    breaks: 'L3: who has seen no live holder works on the shard, whether the Lease can be taken or not',
    file: 'controller/src/kubernetes/lease.ts',
    find: 'return this.#othersAliveMs + STAND_IN_DURATIONS * this.#patienceMs();',
    replace: 'return STAND_IN_DURATIONS * Infinity;',
    tests: ['controller/src/kubernetes/shards.test.ts'],
  },
  {
    name: 'a restored store is taken for the one that was known',
    breaks: 'ADR 19: a watch goes on only where the history is shown to be ours',
    file: 'controller/src/kubernetes/informer.ts',
    find: 'if (doubt !== undefined) return doubt;',
    replace: 'if (doubt !== undefined && held === undefined) return doubt;',
    tests: ['controller/src/kubernetes/informer-outages.real.test.ts'],
  },
  {
    name: 'a receipt counts without its token',
    breaks: 'M7: a receipt proves that its sender has read the message',
    file: 'services/broker/src/receipts.ts',
    find: "return this.#options.tokens.proves(receipt.id, receipt.token) ? [receipt] : this.#drop('unproven');",
    replace: 'return [receipt];',
    tests: ['controller/src/messages/redis-messages.real.test.ts'],
  },
  {
    name: 'an entry stays on the stream when its receipt cannot be written',
    breaks: 'M2: a receipt that cannot be written holds up nothing, so that a full Redis gets room',
    file: 'services/kit/src/messages/consumer.ts',
    find: '      this.#receiptTrouble(sender.replyTo).failed(this.#group.reasonOf(error));\n',
    replace: '      this.#receiptTrouble(sender.replyTo).failed(this.#group.reasonOf(error));\n      throw error;\n',
    tests: ['services/kit/src/messages/sick-broker.real.test.ts'],
  },
  {
    name: 'an inbox id is used up whatever was said under it',
    breaks: 'M8: another message under a handled id is no duplicate',
    file: 'services/kit/src/messages/inbox.ts',
    find: "return row.digest === null || row.digest === digest ? { kind: 'delivered', replayed: true } : CONFLICT;",
    replace: "return { kind: 'delivered', replayed: true };",
    tests: ['services/kit/src/messages/consumer.real.test.ts'],
  },
  {
    name: 'a message is added again although its entry still lies there',
    breaks: 'M1: a stream whose consumer is away does not fill with copies',
    file: 'services/broker/src/publisher.ts',
    find: 'const added = publications.filter(({ event }) => !there.has(event.id));',
    replace: 'const added = publications;',
    tests: ['controller/src/messages/redis-messages.real.test.ts'],
  },
  {
    name: 'a refund counts from whoever sends it',
    breaks: 'ADR 13: payment.refund counts only from the payment’s own transaction',
    file: 'services/payment/src/messages/payment-refund.ts',
    find: "    foreign: ({ origin, data }) => foreignMessage('payment.refund', origin, data),\n",
    replace: '',
    tests: ['services/payment/src/messages/payment-refund.real.test.ts'],
  },
  {
    name: 'a second capture is taken for a repeat',
    breaks: 'every capture is accounted for: a second one is given back',
    file: 'services/payment/src/payments.ts',
    find: "    return { kind: 'surplus', captureId, cents: cents ?? amountCents };",
    replace: "    return amountCents < 0 ? { kind: 'surplus', captureId, cents: amountCents } : { kind: 'done' };",
    tests: ['services/payment/src/payments.test.ts'],
  },
  {
    name: 'payment.succeeded is believed unasked',
    breaks: 'whoever can write to the broker makes no money: the payment service is asked',
    file: 'services/order/src/messages/payment-succeeded.ts',
    find: "      if (asked.kind === 'unavailable') return { kind: 'not-yet', detail: asked.why };\n",
    replace: "      if (asked.kind !== 'unavailable') return undefined;\n",
    tests: ['services/order/src/messages/payment-succeeded.real.test.ts'],
  },
  {
    name: 'a namespace that is being deleted is taken for an API server that is away',
    breaks: 'creations for a namespace that is gone are asked for ever more seldom, and in view',
    file: 'services/order/src/creation/api-server.ts',
    find: "(statusCode === 403 && causes.includes('NamespaceTerminating'))",
    replace: "(statusCode === 403 && causes.includes('NamespaceGone'))",
    tests: ['services/order/src/creation/api-server.real.test.ts'],
  },
  {
    name: 'a payment that its order may still take is refunded by hand',
    breaks: 'ADR 26: money goes back by hand only once its attempt is Cancelled',
    file: 'services/payment/src/refunds/refund-command.ts',
    find: "    case 'Cancelled':\n      return undefined;\n",
    replace: "    case 'None':\n    case 'Cancelled':\n      return undefined;\n",
    tests: ['services/payment/src/refunds/refund-command.real.test.ts'],
  },
  {
    name: 'a payment given up is cancelled although its transaction lives',
    breaks: 'ADR 26: a branch that is Tried is the controller’s',
    file: 'services/order/src/creation/given-up.ts',
    find: '  if (call.tried) return not(',
    replace: '  if (call.attempt < 0) return not(',
    tests: ['services/order/src/creation/given-up.real.test.ts'],
  },
];
