/**
 * What a payment is worth to a member.
 */

/** Points are there to be spent, growth is there to rise through the tiers; both are counted alike. */
export interface Reward {
  readonly points: number;
  readonly growth: number;
}

const CENTS_PER_POINT = 100;

/** One point and one growth for each whole 100 cents paid; what is left over is worth nothing. */
export function rewardOf(amountCents: number): Reward {
  // Exact, as a quotient that is rounded before it is cut would not have to be.
  const whole = (amountCents - (amountCents % CENTS_PER_POINT)) / CENTS_PER_POINT;
  return { points: whole, growth: whole };
}
