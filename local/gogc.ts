/**
 * How seldom the API server collects garbage: GOGC, in percent of what it has in use (docs/operating/sizing.md).
 */

/** Below, it does little but collect; above, its memory is many times what it needs, for no gain. */
const PERCENT = { min: 50, max: 2_000 };

/** @param setting what it is asked for by, for a message that says what to change */
export function readGogc(setting: string, value: string): number {
  const percent = Number(value);
  if (/^\d{1,4}$/.test(value) && percent >= PERCENT.min && percent <= PERCENT.max) return percent;
  throw new Error(`${setting} must be a whole number from ${PERCENT.min} to ${PERCENT.max}, in percent, not ${value}`);
}

/** Options of a control plane whose API server has this GOGC; undefined leaves Go's own, 100. */
export function withGogc(gogc: number | undefined): { controlPlane?: { apiserverEnv: { GOGC: string } } } {
  return gogc === undefined ? {} : { controlPlane: { apiserverEnv: { GOGC: String(gogc) } } };
}
