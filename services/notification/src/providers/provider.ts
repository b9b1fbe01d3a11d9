/**
 * The port to whoever sends notifications.
 */
export interface Outgoing {
  /** The message's: the same at every attempt, so that a provider can tell a repeat. */
  readonly id: string;
  readonly channel: 'sms';
  /** A user id. */
  readonly to: string;
  readonly text: string;
}

export type Sending =
  | { readonly kind: 'sent' }
  /** Also where nobody knows: a time-out. The reason is the same from attempt to attempt. */
  | { readonly kind: 'failed'; readonly reason: string };

export interface Provider {
  /** Resolves, never rejects, and within the provider's time-out. */
  send(outgoing: Outgoing): Promise<Sending>;
  close(): Promise<void>;
}
