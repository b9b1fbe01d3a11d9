/**
 * What a bug report may hold of a transaction: how it moves, and nothing of whom it is about.
 *
 * The controller's own sentences are shown without ids. What others wrote, participants and consumers who refuse and people who give
 * reasons, may name anybody: of that only the length is shown, also where a sentence quotes it.
 *
 * Names, orders and people become tokens, the same for the same one within a report, so that what belongs together still does. The
 * salt is the report's own and is thrown away: nobody can try out whose order a token is.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Branch, Message, OrderTransaction } from '../../crds/generated/ordertransaction.ts';
import type { TransactionFlow } from '../../crds/generated/transactionflow.ts';

const TOKEN_CHARS = 8;
/** Where ids stand in sentences of services: whatever has a digit in it and is long enough to be one. */
const ID_LIKE = /\b(?=[\w-]*\d)[\w-]{6,}\b/g;
/** As the controller's sentences quote others (transaction/sentences.ts, hold.ts): what stands before, the quotation, what follows. */
const QUOTATIONS: readonly RegExp[] = [
  /(refused: )([\s\S]+?)((?:\.? Next: (?:it is asked again at|those that have|it stays so)[\s\S]*)?$)/g,
  /( is not delivered: )([\s\S]+?)(\.? Next: it is published again at the longest delay)/g,
  /(^on hold: )([\s\S]+?)((?:; the deadline runs on)?$)/g,
  /(\(on hold: )([\s\S]+)(\))/g,
];
/** As a traceparent is; whoever creates a transaction may write anything there. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

export class Redaction {
  readonly #salt = randomBytes(16);

  token(kind: string, value: string): string {
    const digest = createHash('sha256').update(this.#salt).update(value).digest('hex').slice(0, TOKEN_CHARS);
    return `${kind}-${digest}`;
  }

  /** A sentence of the controller's, without what it quotes and the ids in it. */
  sentence(text: string): string {
    const own = QUOTATIONS.reduce(
      (said, quotation) =>
        said.replaceAll(
          quotation,
          (_, before: string, quoted: string, after: string) => before + redacted(quoted) + after,
        ),
      text,
    );
    return own.replaceAll(ID_LIKE, (id) => this.token('id', id));
  }

  transaction({ metadata, spec, status }: OrderTransaction): object {
    const { suspendedBy, resumedBy, cancelRequestedBy } = spec;
    const person = (by: string | undefined): string | undefined => by && this.token('person', by);
    const annotations = Object.entries(metadata.annotations ?? {}).map(([key, value]) => [
      key,
      this.#annotation(key, value),
    ]);
    return {
      name: this.token('transaction', metadata.name),
      namespace: metadata.namespace,
      creationTimestamp: metadata.creationTimestamp,
      deletionTimestamp: metadata.deletionTimestamp,
      generation: metadata.generation,
      annotations: Object.fromEntries(annotations) as Record<string, string>,
      spec: {
        flow: spec.flow,
        orderId: this.token('order', spec.orderId),
        payload: redacted(JSON.stringify(spec.payload)),
        suspend: spec.suspend,
        cancelRequested: spec.cancelRequested,
        ...{ suspendedBy: person(suspendedBy), resumedBy: person(resumedBy) },
        cancelRequestedBy: person(cancelRequestedBy),
        resolutions: spec.resolutions?.map((resolution) => {
          const { target, as, reason, by } = resolution;
          return { target, as, reason: redacted(reason), by: person(by) };
        }),
      },
      status: this.#status(status),
    };
  }

  /** Who takes part is how it moves; an address may hold a password. */
  flow({ metadata, spec }: TransactionFlow): object {
    const { name, namespace, generation, finalizers } = metadata;
    const participants = spec.participants.map(({ endpoint, ...participant }) => ({
      ...participant,
      endpoint: endpoint.url === undefined ? endpoint : { url: originOf(endpoint.url) },
    }));
    const hold = Object.fromEntries(
      Object.entries(spec.hold ?? {}).map(([target, reason]) => [target, redacted(reason)]),
    );
    return { name, namespace, generation, finalizers, spec: { ...spec, participants, hold } };
  }

  #annotation(key: string, value: string): string {
    switch (key) {
      case 'ordertx.dev/traceparent':
        return TRACEPARENT.test(value) ? value : redacted(value);
      case 'ordertx.dev/retry-requested-at':
        return this.token('retry', value);
      default:
        return redacted(value);
    }
  }

  #status(status: OrderTransaction['status']): object | undefined {
    if (status === undefined) return undefined;
    const { lastHandledRetryAt } = status;
    const told = <T extends Branch | Message>(part: T): T => {
      if (part.lastError === undefined) return part;
      const isTheirs = part.state === 'Refused' || ('delivery' in part && part.delivery === 'BestEffort');
      return { ...part, lastError: isTheirs ? redacted(part.lastError) : this.sentence(part.lastError) };
    };
    return {
      ...status,
      ...(lastHandledRetryAt !== undefined && { lastHandledRetryAt: this.token('retry', lastHandledRetryAt) }),
      ...(status.message !== undefined && { message: this.sentence(status.message) }),
      ...(status.branches && { branches: status.branches.map(told) }),
      ...(status.messages && { messages: status.messages.map(told) }),
      ...(status.conditions && {
        conditions: status.conditions.map(({ message = '', ...condition }) => ({
          ...condition,
          message: this.sentence(message),
        })),
      }),
    };
  }
}

function redacted(text: string): string {
  return `(${text.length} characters)`;
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : '(no URL)';
}
