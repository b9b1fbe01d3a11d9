/**
 * When a creation is sent, and sent again.
 *
 * Every attempt first puts the row's next date off (claim-creations.sql), so a replica that dies in between only delays it. After
 * an attempt that settled the creation that date stands; after one that did not, the row is postponed by what follows.
 */

/**
 * The first relay attempt of a row. The replica that accepted the order sends it at once, without the relay; so this is also how
 * long an order waits whose replica died in between. Shorter, and a busy system would send creations twice that went through.
 */
export const FIRST_REPEAT_SECONDS = 10;

/** Repeats guard against an etcd that was restored from a snapshot: minutes matter there, a call per order and minute would not. */
export const REPEAT_SECONDS_MAX = 300;

/** What cannot be created within a week is for a person: fence rows live longer, so nothing is done twice until then. */
export const GIVEN_UP_AFTER_SECONDS = 7 * 24 * 3600;

const RETRY_SECONDS_MIN = 0.2;
/** How long an order may still lie after the API server is back; longer, and customers wait; shorter, and 10,000 rows are a storm. */
const RETRY_SECONDS_MAX = 15;

/**
 * Equal jitter: half is certain, half is random, so that what failed together does not come back together.
 *
 * @param failures in a row, this one included
 * @param jitter   a random number in [0, 1)
 */
export function retrySeconds(failures: number, jitter: number): number {
  return equalJitter(Math.min(RETRY_SECONDS_MIN * 2 ** (failures - 1), RETRY_SECONDS_MAX), jitter);
}

/** For what the API server refused: repeating it seldom helps, but a person may mend the server's rules. */
export function refusedSeconds(jitter: number): number {
  return equalJitter(REPEAT_SECONDS_MAX, jitter);
}

/** For what has no namespace: it may be made in a moment, as at an installation, or never again. */
export function namespaceGoneSeconds(failures: number, jitter: number): number {
  return equalJitter(Math.min(RETRY_SECONDS_MIN * 2 ** (failures - 1), REPEAT_SECONDS_MAX), jitter);
}

function equalJitter(seconds: number, jitter: number): number {
  return seconds * (0.5 + jitter / 2);
}
