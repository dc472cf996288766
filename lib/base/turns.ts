/** How long work may run before it yields to the event loop. */
const TURN_MS = 50;

/**
 * Creates a function to await in a loop over an iterator: it periodically yields to timers and signals.
 *
 * Otherwise an iterator whose next value is always ready would block them, and could not be stopped.
 */
export function createTurns(): () => Promise<void> {
  let sinceMs = performance.now();
  return async () => {
    if (performance.now() - sinceMs < TURN_MS) return;
    await new Promise<void>((resolve) => void setImmediate(resolve));
    sinceMs = performance.now();
  };
}
