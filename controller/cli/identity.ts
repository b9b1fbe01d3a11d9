/**
 * Who the API server knows us as.
 */
import type { Session } from './session.ts';

interface SelfSubjectReview {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

/** Undefined where it does not say. */
export async function whoAmI(session: Session): Promise<string | undefined> {
  const answer = await session.api.ask<SelfSubjectReview>({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
  });
  return answer.kind === 'ok' ? answer.body.status?.userInfo?.username : undefined;
}
