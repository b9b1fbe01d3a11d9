/**
 * The condition RemovalFailing of every flow: what people see by kubectl while what has ended cannot be removed, or archived before.
 *
 *  R1  A flow is written when it begins, when its reason changes and when it is over, and never for a transaction: a hundred
 *      thousand of them may wait.
 *  R2  What is stored is compared after each look, and only by the replica that removes. So what a predecessor wrote is taken
 *      back, and a flow that was created meanwhile is told. A flow that was never in trouble is never written.
 *  R3  Other conditions stay: the whole list is written over exactly the copy that was seen.
 *
 * The sentences are ours and not the database's: they do not change from look to look, and name no host to whoever may read flows.
 */
import type { FlowCondition, TransactionFlow } from '../../../crds/generated/transactionflow.ts';
import type { RemovalReport, Trouble } from '../removal/ports.ts';
import type { Log } from '../runtime/log.ts';
import type { Informers } from './informers.ts';
import { FLOWS, keyOf, pathOf } from './stored-object.ts';
import type { Transport } from './transport.ts';

export interface FlowRemovalReportOptions {
  readonly transport: Transport;
  readonly flows: Informers<TransactionFlow>;
  /** What time it is for the API server. */
  readonly apiClock: { now(): number };
  readonly log: Log;
}

const TYPE = 'RemovalFailing';

type Said = Pick<FlowCondition, 'status' | 'reason' | 'message'>;

const OVER: Said = { status: 'False', reason: 'Removing', message: 'Ended transactions are removed when they may go.' };
const SAID: Readonly<Record<Trouble['of'], Said>> = {
  archive: {
    status: 'True',
    reason: 'ArchiveUnavailable',
    message:
      'The archive does not take ended transactions: they stay until it does. The log of the controller says why.',
  },
  api: {
    status: 'True',
    reason: 'NotRemoved',
    message:
      'The API server does not remove ended transactions: they stay until it does. The log of the controller says why.',
  },
};

export class FlowRemovalReport implements RemovalReport {
  readonly #options: FlowRemovalReportOptions;
  #refusal = '';

  constructor(options: FlowRemovalReportOptions) {
    this.#options = options;
  }

  async looked(trouble: Trouble | undefined, signal: AbortSignal): Promise<void> {
    const said = trouble === undefined ? OVER : SAID[trouble.of];
    for (const flow of [...this.#options.flows.list()]) {
      if (signal.aborted) return;
      const before = flow.status?.conditions?.find(({ type }) => type === TYPE);
      if (before?.reason === said.reason || (before === undefined && said === OVER)) continue;
      await this.#write(flow, before, said, signal);
    }
  }

  async #write(
    flow: TransactionFlow,
    before: FlowCondition | undefined,
    said: Said,
    signal: AbortSignal,
  ): Promise<void> {
    const { transport, apiClock, log } = this.#options;
    const { namespace = '', name, uid, resourceVersion } = flow.metadata;
    const lastTransitionTime =
      before?.status === said.status ? before.lastTransitionTime : new Date(apiClock.now()).toISOString();
    const others = (flow.status?.conditions ?? []).filter((each) => each !== before);
    const conditions = [...others, { type: TYPE, ...said, lastTransitionTime }];
    const answer = await transport.request({
      ...{ method: 'PATCH', path: `${pathOf(FLOWS, namespace, name)}/status`, signal },
      body: { metadata: { uid, resourceVersion }, status: { conditions } },
    });
    // A copy that is stale by now is looked at again, and one that is gone is not in the next look.
    const refusal = answer.kind === 'error' && ![404, 409].includes(answer.error.status) ? answer.error.message : '';
    if (refusal !== '' && refusal !== this.#refusal)
      log.warn({ flow: keyOf(flow), message: refusal }, 'flows cannot be told whether what has ended is removed');
    this.#refusal = refusal;
  }
}
