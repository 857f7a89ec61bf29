// Loaded before the server by `node --import`: its wall clock is FAULT_CLOCK_MS ahead (negative: behind). PostgreSQL's is not, nor are timers.
const offset = Number(process.env.FAULT_CLOCK_MS);
const Real = Date;
const now = () => Real.now() + offset;

globalThis.Date = new Proxy(Real, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new Real(now()).toString(),
  get: (target, key, receiver) => (key === 'now' ? now : Reflect.get(target, key, receiver)),
});
