/** The longest delay of JavaScript timers, almost 25 days; a longer one would fire immediately. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Runs an action once after a delay of any length. @returns a function that cancels it */
export function startTimer(durationMs: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const start = (leftMs: number) => {
    const isLast = !(leftMs > TIMER_MAX_MS);
    timer = isLast
      ? setTimeout(action, leftMs)
      : setTimeout(() => start(leftMs - TIMER_MAX_MS), TIMER_MAX_MS);
  };
  start(durationMs);
  return () => clearTimeout(timer);
}
