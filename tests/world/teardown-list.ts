/**
 * What global-setup.ts started and global-teardown.ts has to end. jest loads the two apart, so they meet in `globalThis`.
 */
type End = () => Promise<void>;

const KEY = Symbol.for('ordertx.tests.world.teardown');
const store = globalThis as { [KEY]?: End[] };

export function leaveToTeardown(end: End): void {
  (store[KEY] ??= []).push(end);
}

/** Ends everything, the latest first. */
export async function tearDown(): Promise<void> {
  for (const end of (store[KEY] ?? []).splice(0).reverse()) await end();
}
