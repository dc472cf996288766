import type { ReadProgress } from "agnes/kit";

const INTERVAL_MS = 60_000;

/** Reports a phase while work waits for a stack that is busy or in maintenance, so that the read does not count as stalled. */
export async function keepAlive<T>(
  phase: string,
  onProgress: ((progress: ReadProgress) => void) | undefined,
  work: () => Promise<T>,
): Promise<T> {
  onProgress?.({ phase });
  // Real time, as that of the timeout that it restarts.
  const timer = setInterval(() => onProgress?.({ phase }), INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
