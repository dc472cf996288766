/** How long work may run before timers, signals and other work get a turn. */
const TURN_MS = 50;

/**
 * Makes a function to await in a loop over what another gives: it lets timers and signals run now and then.
 *
 * An iterator that always has its next value ready would keep them waiting for ever, and so could not be stopped.
 */
export function createTurns(): () => Promise<void> {
  let sinceMs = performance.now();
  return async () => {
    if (performance.now() - sinceMs < TURN_MS) return;
    await new Promise<void>((resolve) => void setImmediate(resolve));
    sinceMs = performance.now();
  };
}
