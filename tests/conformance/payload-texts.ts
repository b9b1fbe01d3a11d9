/**
 * Payloads, and the texts they are sent as: the same one spelt in another way, another one, one that is broken.
 */

/** Fresh for each transaction, so that none meets what another one left. */
export interface PayloadSource {
  /** For people: what it is, and where it comes from. */
  readonly title: string;
  fresh(orderId: string): unknown;
}

/** Wherever the payload has its own orderId as a whole string, the fresh one is put. Without an orderId it stays as it is. */
export function freshened(title: string, payload: unknown): PayloadSource {
  const orderId = orderIdOf(payload);
  return {
    title,
    fresh: (fresh) =>
      orderId === undefined ? payload : mapLeaves(payload, (leaf) => (leaf === orderId ? fresh : leaf)),
  };
}

export function orderIdOf(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null || !('orderId' in payload)) return undefined;
  return typeof payload.orderId === 'string' ? payload.orderId : undefined;
}

/** An order that no stock, credit or balance can be enough for, within the limits of the create-order payload's schema. */
export const OVERSIZED: PayloadSource = {
  title: 'a hugely oversized order of an unknown SKU',
  fresh: (orderId) => ({
    orderId,
    userId: 'conformance',
    lines: [{ skuId: 'conformance-unknown', quantity: 100_000, unitPriceCents: 100_000_000 }],
    totalCents: 10_000_000_000_000,
  }),
};

export const EMPTY: PayloadSource = { title: 'a payload without any field', fresh: () => ({}) };

/** How a payload becomes a body; undefined is a request without one. */
export type Text = (payload: unknown) => string | undefined;

export const asItIs: Text = (payload) => JSON.stringify(payload);

/** The same payload by RFC 8785: members in reverse, white space, whole numbers with a fraction, letters as escapes. */
export const spelledOtherwise: Text = (payload) => respell(payload);

function respell(value: unknown): string {
  if (Array.isArray(value)) return `[ ${value.map(respell).join(' ,\n')} ]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).reverse();
    return `{ ${members.map(([name, member]) => `${JSON.stringify(name)} : ${respell(member)}`).join(' ,\n\t')} }`;
  }
  if (typeof value === 'number' && Number.isSafeInteger(value)) return `${value}.0`;
  if (typeof value === 'string') {
    return JSON.stringify(value).replace(
      /^"([a-z])/,
      (_, letter: string) => `"\\u00${letter.charCodeAt(0).toString(16)}`,
    );
  }
  return JSON.stringify(value);
}

/**
 * One value differs, and not the orderId: whoever compares only ids takes the two for the same. A name rather than a number
 * where there is one, because numbers add up to others.
 */
export const another: Text = (payload) => {
  const leaves: unknown[] = [];
  mapLeaves(payload, (leaf) => void leaves.push(leaf));
  const orderId = orderIdOf(payload);
  const name = leaves.findIndex((leaf) => typeof leaf === 'string' && leaf !== orderId);
  const changing = name === -1 ? leaves.findIndex((leaf) => typeof leaf === 'number') : name;
  if (changing === -1) return JSON.stringify({ conformance: 'another payload', instead: payload });
  let index = 0;
  return JSON.stringify(mapLeaves(payload, (leaf) => (index++ === changing ? changed(leaf) : leaf)));
};

function changed(leaf: unknown): unknown {
  return typeof leaf === 'number' ? leaf + 1 : `${String(leaf)}x`;
}

/** The same payload, made this long by white space at its end. */
export function padded(bytes: number): Text {
  return (payload) => {
    const text = JSON.stringify(payload);
    return text + ' '.repeat(Math.max(0, bytes - Buffer.byteLength(text)));
  };
}

/** Cut off in the middle, as by a connection that broke. */
export const cutOff: Text = (payload) => {
  const text = JSON.stringify(payload);
  return text.slice(0, Math.max(1, Math.floor(text.length / 2)));
};

export const noBody: Text = () => undefined;

function mapLeaves(value: unknown, change: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => mapLeaves(item, change));
  if (typeof value !== 'object' || value === null) return change(value);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, mapLeaves(member, change)]));
}
