/**
 * A wrong clock for one process: preloaded by `node --import`, it moves what Date says by CLOCK_AHEAD_SECONDS, and from a
 * SIGUSR2 on by CLOCK_THEN_SECONDS, as if somebody had set it. Timers and the monotonic clock stay as they are.
 */
const TrueDate = Date;
const secondsOf = (name: string): number => Number(process.env[name] ?? '0');
let aheadMs = secondsOf('CLOCK_AHEAD_SECONDS') * 1000;
process.on('SIGUSR2', () => (aheadMs = secondsOf('CLOCK_THEN_SECONDS') * 1000));

globalThis.Date = new Proxy(TrueDate, {
  construct: (target, given: [], newTarget) =>
    Reflect.construct(target, given.length === 0 ? [TrueDate.now() + aheadMs] : given, newTarget) as Date,
  get: (target, name, receiver) =>
    name === 'now' ? () => TrueDate.now() + aheadMs : (Reflect.get(target, name, receiver) as unknown),
});
