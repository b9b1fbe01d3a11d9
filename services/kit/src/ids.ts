/**
 * Ids of orders and payments: lower-case DNS labels that sort by age and cannot be guessed.
 *
 * A letter, then 48 bits of milliseconds, then 80 random bits, in Crockford's base32 (a ULID in lower case, behind a letter because
 * some tools want labels to start with one, and people to see what it names). Sorting by age keeps index pages and etcd keys of one
 * hour together; 80 random bits, because whoever can guess an id can read what it names: the public routes carry no login.
 */
import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARS = 10;
const RANDOM_CHARS = 16;

/** @param letter `o` for an order, `p` for a payment */
export function newId(letter: 'o' | 'p', nowMs: number = Date.now()): string {
  let time = '';
  for (let rest = nowMs, place = 0; place < TIME_CHARS; place++) {
    time = charAt(rest % ALPHABET.length) + time;
    rest = Math.floor(rest / ALPHABET.length);
  }
  // 5 of each byte's 8 bits: 256 is a multiple of 32, so every character is equally likely.
  const random = [...randomBytes(RANDOM_CHARS)].map((byte) => charAt(byte % ALPHABET.length)).join('');
  return `${letter}${time}${random}`;
}

function charAt(index: number): string {
  return ALPHABET.charAt(index);
}
