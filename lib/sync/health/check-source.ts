import { AgnesError, eachOf, isAgnesError, withTimeout } from "../../base/mod.ts";
import type { Health } from "../../kit/mod.ts";
import { openSource, pluginHealth, type SourceHandle, type SourceServices } from "../../sources/mod.ts";
import { failedHealth, type HealthResult } from "./health-records.ts";

/** The time of a whole check, from connecting to the response. */
export const CHECK_TIMEOUT_MS = 45_000;

/** How many sources are checked at once. */
const AT_ONCE = 4;

/**
 * Why a source is not ready, by the health check of its plugin; null if it is ready, or its plugin has none.
 * @throws `aborted`
 */
export async function notReady(handle: SourceHandle, signal: AbortSignal): Promise<AgnesError | null> {
  const health = await pluginHealth(handle, { signal });
  return health === null ? null : failureOf(handle.name, health);
}

/** Why a source is not ready; null if it is. */
export function failureOf(source: string, health: AgnesError | Health): AgnesError | null {
  if (isAgnesError(health)) return health;
  return health.ok ? null : new AgnesError("source_unhealthy", { source, reason: health.message });
}

/**
 * Connects to a source and runs the health check of its plugin, within a time limit. Each failure is a result, also that of a
 * wrong configuration.
 *
 * @throws `aborted`
 */
export async function checkSource(
  services: SourceServices,
  source: string,
  signal: AbortSignal,
): Promise<HealthResult> {
  using timeout = withTimeout(`the health check of source ${source}`, CHECK_TIMEOUT_MS, signal);
  try {
    await using handle = await openSource(services, source, timeout.signal);
    const health = await pluginHealth(handle, { signal: timeout.signal });
    if (health === null)
      return { source, state: "unknown", code: null, reason: "its plugin has no health check" };
    const failure = failureOf(source, health);
    if (failure !== null) return failedHealth(source, failure);
    return { source, state: "ok", code: null, reason: (health as Health).message };
  } catch (error) {
    if (signal.aborted) throw error;
    return failedHealth(source, error);
  }
}

/** Checks sources, several at once. @throws `aborted` */
export async function checkSources(
  services: SourceServices,
  sources: readonly string[],
  {
    signal,
    onBegin,
    onResult,
  }: {
    readonly signal: AbortSignal;
    readonly onBegin?: (source: string) => void;
    readonly onResult: (result: HealthResult) => Promise<void>;
  },
): Promise<void> {
  await eachOf(sources, AT_ONCE, async (source) => {
    onBegin?.(source);
    await onResult(await checkSource(services, source, signal));
  });
}
