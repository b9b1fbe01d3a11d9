/**
 * What the API server has of Events about a transaction: trouble, and what people did.
 */
import { joined, selectorValue, type Session } from './session.ts';
import { collectionOf } from './api.ts';
import type { ObjectList, Resource } from '../src/kubernetes/stored-object.ts';
import { isForMissingRights } from './refusal.ts';

const CORE_EVENTS: Resource = { group: '', version: 'v1', plural: 'events' };
const EVENTS_MAX = 100;

export interface Happening {
  readonly at: string;
  readonly text: string;
}

interface CoreEvent {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string };
  readonly metadata: { readonly creationTimestamp?: string };
}

/** Empty where they may not be read: they are extra. */
export async function eventsOf(
  session: Session,
  namespace: string,
  name: string,
  uid: string | undefined,
): Promise<readonly Happening[]> {
  const fieldSelector = joined(
    `involvedObject.name=${selectorValue(name)}`,
    uid === undefined ? undefined : `involvedObject.uid=${uid}`,
  );
  const answer = await session.api.ask<ObjectList<CoreEvent & { readonly metadata: { readonly name: string } }>>({
    method: 'GET',
    path: collectionOf(CORE_EVENTS, namespace),
    query: { fieldSelector: fieldSelector ?? '', limit: String(EVENTS_MAX) },
  });
  if (answer.kind !== 'ok') {
    const isForbidden = answer.kind === 'error' && isForMissingRights(answer.error);
    session.terminal.say(
      isForbidden ? 'Events are left out: you may not list them.' : 'Events are left out: they could not be read.',
    );
    return [];
  }
  return answer.body.items.map((event) => {
    const { type = '', reason = '', message = '', series, count, lastTimestamp, eventTime, metadata } = event;
    const times = series?.count ?? count ?? 1;
    const text = `${type} ${reason}: ${message}${times > 1 ? ` (${times} times)` : ''}`;
    return { at: series?.lastObservedTime ?? (lastTimestamp || eventTime || metadata.creationTimestamp) ?? '', text };
  });
}
