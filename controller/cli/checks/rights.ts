/**
 * What the person asking may do, by verb of this plugin.
 */
import type { Session } from '../session.ts';
import type { Finding } from './finding.ts';

interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** Verbs of the plugin that need it. */
  readonly for: string;
}

const GROUP = 'ordertx.dev';
const TRANSACTIONS = 'ordertransactions';

export const RIGHTS: readonly Right[] = [
  { verb: 'list', group: GROUP, resource: TRANSACTIONS, for: 'list, incidents, top, acts by selector' },
  { verb: 'get', group: GROUP, resource: TRANSACTIONS, for: 'describe, and waiting for what comes of an act' },
  { verb: 'get', group: GROUP, resource: 'transactionflows', for: 'what comes next in describe' },
  { verb: 'list', group: GROUP, resource: 'transactionflows', for: 'flows' },
  { verb: 'list', group: '', resource: 'events', for: 'the timeline in describe' },
  { verb: 'patch', group: GROUP, resource: TRANSACTIONS, for: 'retry, suspend, resume, cancel, settle, abandon' },
  { verb: 'suspend', group: GROUP, resource: TRANSACTIONS, for: 'suspend, resume' },
  { verb: 'cancel', group: GROUP, resource: TRANSACTIONS, for: 'cancel' },
  { verb: 'settle', group: GROUP, resource: TRANSACTIONS, for: 'settle' },
  { verb: 'abandon', group: GROUP, resource: TRANSACTIONS, for: 'abandon' },
  { verb: 'delete', group: GROUP, resource: TRANSACTIONS, for: 'abandon' },
  { verb: 'patch', group: GROUP, resource: 'transactionflows', for: 'hold, release' },
];

interface Review {
  readonly status?: { readonly allowed?: boolean };
}

export async function checkRights(session: Session): Promise<readonly Finding[]> {
  return Promise.all(
    RIGHTS.map(async ({ verb, group, resource, for: verbs }): Promise<Finding> => {
      const what = `may ${verb} ${resource}`;
      const namespace = session.namespace ?? '';
      const answer = await session.api.ask<Review>({
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: { resourceAttributes: { verb, group, resource, namespace } },
        },
      });
      if (answer.kind !== 'ok') return { what, state: 'unknown', sentence: 'the API server did not say' };
      return answer.body.status?.allowed === true
        ? { what, state: 'ok', sentence: `for ${verbs}` }
        : { what, state: 'warning', sentence: `no: needed for ${verbs}` };
    }),
  );
}
