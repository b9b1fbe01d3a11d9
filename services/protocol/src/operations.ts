/**
 * The three TCC operations and the states a branch can be stored in.
 *
 * What a participant's fence stores and answers, and which stored state makes an answer "done". Both ends of the wire read it
 * from here: the participant to answer, the controller to classify.
 */

export const OPERATIONS = ['try', 'confirm', 'cancel'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What a fence row can say. A branch without a row is `None` on the wire. */
export const STORED_STATES = ['Tried', 'Refused', 'Confirmed', 'Cancelled'] as const;
export type StoredState = (typeof STORED_STATES)[number];

/** The values of the Ordertx-State header. */
export const FENCE_STATES = [...STORED_STATES, 'None'] as const;
export type FenceState = (typeof FENCE_STATES)[number];

/**
 * The stored states with which a 2xx answer means "done". A 2xx with any other state, or none, is no usable answer: it may come
 * from a proxy, or from a service that is not a participant at all.
 */
export const DONE_STATES: Readonly<Record<Operation, readonly FenceState[]>> = {
  try: ['Tried', 'Confirmed'],
  confirm: ['Confirmed'],
  cancel: ['Cancelled'],
};

export function isOperation(text: string): text is Operation {
  return (OPERATIONS as readonly string[]).includes(text);
}

export function isFenceState(text: string): text is FenceState {
  return (FENCE_STATES as readonly string[]).includes(text);
}
