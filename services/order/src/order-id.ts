/**
 * Order ids: lower-case DNS labels that sort by age and cannot be guessed.
 *
 * `o`, then 48 bits of milliseconds, then 80 random bits, in Crockford's base32 (a ULID in lower case, behind a letter because
 * some tools want labels to start with one). Sorting by age keeps index pages and etcd keys of one hour together; 80 random
 * bits, because whoever can guess an id can read the order: the public routes carry no login of their own.
 */
import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARS = 10;
const RANDOM_CHARS = 16;

export function newOrderId(nowMs: number = Date.now()): string {
  let time = '';
  for (let rest = nowMs, place = 0; place < TIME_CHARS; place++) {
    time = charAt(rest % ALPHABET.length) + time;
    rest = Math.floor(rest / ALPHABET.length);
  }
  // 5 of each byte's 8 bits: 256 is a multiple of 32, so every character is equally likely.
  const random = [...randomBytes(RANDOM_CHARS)].map((byte) => charAt(byte % ALPHABET.length)).join('');
  return `o${time}${random}`;
}

function charAt(index: number): string {
  return ALPHABET.charAt(index);
}
