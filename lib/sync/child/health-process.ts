import { AgnesError, eachOf } from "../../base/mod.ts";
import type { SourceServices } from "../../sources/mod.ts";
import { CHECK_TIMEOUT_MS } from "../health/check-source.ts";
import type { HealthProcess } from "../health/health-checks.ts";
import { failedHealth, type HealthResult } from "../health/health-records.ts";
import type { SyncProcessSettings } from "./settings.ts";
import { secretsOf } from "./source-limits.ts";
import { runInProcess, type ProcessEnd } from "./task-process.ts";

/** A check ends after its timeout, so a process that is silent for longer is blocked. */
const STALLED_MS = CHECK_TIMEOUT_MS + 5000;

/** How many sources are checked at once in processes of their own. */
const ALONE_AT_ONCE = 2;

/**
 * Checks sources in one process together. If that process is blocked or ends, each source whose check had begun is checked
 * again in a process of its own, and so are the sources that did this in the last check.
 *
 * The function throws `internal` if a process ends before its first check.
 *
 * @param stalledMs the time after which a silent process is stopped. Default: 50 seconds.
 */
export function healthProcess(
  services: SourceServices,
  settings: SyncProcessSettings,
  stalledMs: number = STALLED_MS,
): HealthProcess {
  return async ({ sources, unruly, signal, onResults }) => {
    const check = async (some: readonly string[]) => {
      const checked = await checkTogether(services, settings, { sources: some, signal, stalledMs });
      await onResults(checked.results);
      return checked;
    };
    const alone = sources.filter((source) => unruly.has(source));
    let left = sources.filter((source) => !unruly.has(source));
    while (left.length > 0 && !signal.aborted) {
      const { begun, unfinished, end } = await check(left);
      if (begun.size === 0 && !signal.aborted)
        throw new AgnesError("internal", { what: `no source was checked: ${reasonOf(end)}` });
      left = left.filter((source) => !begun.has(source));
      alone.push(...unfinished);
    }
    await eachOf(alone, ALONE_AT_ONCE, async (source) => {
      if (signal.aborted) return;
      const { unfinished, end } = await check([source]);
      if (unfinished.length === 0) unruly.delete(source);
      else if (!signal.aborted) {
        unruly.add(source);
        await onResults([failedHealth(source, errorOf(source, end))]);
      }
    });
  };
}

/** Checks sources in one process. */
async function checkTogether(
  services: SourceServices,
  settings: SyncProcessSettings,
  {
    sources,
    signal,
    stalledMs,
  }: { readonly sources: readonly string[]; readonly signal: AbortSignal; readonly stalledMs: number },
): Promise<{
  readonly begun: ReadonlySet<string>;
  readonly results: readonly HealthResult[];
  /** The sources whose check has begun, and has no result. */
  readonly unfinished: readonly string[];
  readonly end: ProcessEnd;
}> {
  const begun = new Set<string>();
  const results = new Map<string, HealthResult>();
  const end = await runInProcess(services, settings, {
    task: { kind: "health", sources },
    subject: "the health check of the sources",
    names: new Set(sources),
    secrets: secretsOf(services, sources),
    memoryMb: settings.memoryMb,
    stalledMs,
    timeoutMs: null,
    signal,
    receive(message) {
      if (message.type === "begun") begun.add(message.name);
      if (message.type === "checked") results.set(message.result.source, message.result);
    },
  });
  const unfinished = [...begun].filter((source) => !results.has(source));
  return { begun, results: [...results.values()], unfinished, end };
}

function errorOf(source: string, end: ProcessEnd): AgnesError {
  if (end.cause === "stalled") {
    const what = `the health check of source ${source}`;
    return new AgnesError("timed_out", { what, timeoutMs: end.stalledMs });
  }
  return new AgnesError("source_unhealthy", { source, reason: reasonOf(end) });
}

function reasonOf(end: ProcessEnd): string {
  switch (end.cause) {
    case "memory":
      return `the process of its health check used more than ${end.limitMb} MB of memory`;
    case "stalled":
      return `the process of its health check was blocked for ${end.stalledMs} ms`;
    case "timeout":
      return `the process of its health check took more than ${end.timeoutMs} ms`;
    case "ended":
      return `the process of its health check ended: ${end.reason}`;
  }
}
