/** The longest time that timers of JavaScript take, almost 25 days; a longer one would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Does something once after a time, however long it is. @returns what cancels it */
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
