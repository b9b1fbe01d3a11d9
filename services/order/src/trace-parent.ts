/**
 * The W3C traceparent that an order's transaction carries on.
 *
 * Where this service records spans it is that of the request's (services/kit/src/http/trace.ts). Where it does not, a caller's is
 * passed on as it came, as the specification asks of those who do not take part in the trace; without a valid one the order starts a
 * trace of its own.
 */
import { randomBytes } from 'node:crypto';

const VERSION_00 = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export function continuedOrNew(traceparent: string | undefined): string {
  if (traceparent !== undefined && VERSION_00.test(traceparent)) return traceparent;
  return `00-${nonZeroHex(16)}-${nonZeroHex(8)}-01`;
}

/** An id of zeros only is invalid; the last byte is kept from being zero. */
function nonZeroHex(bytes: number): string {
  const id = randomBytes(bytes);
  id[bytes - 1] = (id[bytes - 1] ?? 0) | 1;
  return id.toString('hex');
}
