import type { ReadProgress } from "agnes/kit";

type OnProgress = ((progress: ReadProgress) => void) | undefined;

const INTERVAL_MS = 60_000;

/** Reports a phase while work waits for a stack that is busy or in maintenance, so that the read does not count as stalled. */
export async function keepAlive<T>(
  phase: string,
  onProgress: OnProgress,
  work: () => Promise<T>,
): Promise<T> {
  onProgress?.({ phase });
  const stop = startHeartbeat(onProgress);
  try {
    return await work();
  } finally {
    stop();
  }
}

/** Restarts the timeout of a stalled read every minute until the returned function is called. */
export function startHeartbeat(onProgress: OnProgress): () => void {
  // Real time, as that of the timeout.
  const timer = setInterval(() => onProgress?.({}), INTERVAL_MS);
  return () => clearInterval(timer);
}
