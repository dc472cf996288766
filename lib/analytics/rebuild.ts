import { dirname } from "node:path";

import {
  isAgnesError,
  replaceDatabase,
  temporaryPath,
  TEMPORARY_SUFFIX,
  throwIfAborted,
  type Host,
} from "../base/mod.ts";
import { acquireLock, openDatabase } from "../duckdb/mod.ts";
import { buildAnalytics, type BuildPlace, type Built } from "./build.ts";
import { analyticsPath, rebuildLockPath } from "./paths.ts";
import type { AnalyticsServices, RebuildRequest } from "./request.ts";
import { readRebuildReport, writeRebuildReport, type RebuildReport } from "./report.ts";

/**
 * Makes `analytics.duckdb` show what the extracts hold now: every table under its view name in schema `main`, and
 * under `<source>.<name>`. Replaced by one rename; who reads the old file goes on reading it.
 *
 * A failure of one table or one extract is in the report, and the rest is published. An extract that cannot be read
 * keeps its names and, where its parts are still there, its views.
 *
 * @throws `disk_full`, `file_failed`, `locked` after waiting a minute for another rebuild, `aborted`; the file that
 * was there then stays
 */
export async function rebuildAnalytics(
  services: AnalyticsServices,
  request: RebuildRequest,
): Promise<RebuildReport> {
  const { host } = services;
  const target = analyticsPath(request.dataDirectory);
  await host.files.makeDirectory(dirname(target));
  await using _lock = await waitForLock(host, rebuildLockPath(request.dataDirectory), request.signal);
  await removeLeftovers(host, target);
  const last = await lastReport(services, request.dataDirectory);
  const temporary = temporaryPath(host, target);
  try {
    const built = await buildFile(services, request, { target, temporary, last });
    if (built.changed) await replaceDatabase(host.files, temporary, target);
    const report: RebuildReport = { ...built.report, finishedAt: host.now().toISOString() };
    await writeRebuildReport(host, request.dataDirectory, report);
    return report;
  } finally {
    await host.files.remove(temporary).catch(() => {});
    await host.files.remove(`${temporary}.wal`).catch(() => {});
  }
}

/** Builds on a copy of what is there, so that what did not change costs nothing; anew when that cannot be read. */
async function buildFile(
  services: AnalyticsServices,
  request: RebuildRequest,
  place: BuildPlace,
): Promise<Built> {
  const { host, log } = services;
  const previous = await host.files.read(place.target);
  if (previous !== null) {
    await host.files.write(place.temporary, previous, { replace: true });
    try {
      const built = await build(services, request, place, true);
      if (built !== null) return built;
      log.info("analytics.duckdb has another version and is rebuilt from scratch", {});
    } catch (error) {
      if (!isAgnesError(error, "file_unreadable") && !isAgnesError(error, "duckdb_failed")) throw error;
      log.warn("analytics.duckdb cannot be read and is rebuilt from scratch", { reason: error.message });
    }
    await host.files.remove(place.temporary);
    await host.files.remove(`${place.temporary}.wal`);
  }
  return (await build(services, request, place, false))!;
}

async function build(
  services: AnalyticsServices,
  request: RebuildRequest,
  place: BuildPlace,
  onCopy: boolean,
): Promise<Built | null> {
  const { limits } = services;
  await using database = await openDatabase({ limits });
  await using connection = await database.connect();
  return await buildAnalytics(services, request, { connection, place, onCopy });
}

/** What a rebuild that was killed left behind. Only the lock's holder may call it. */
async function removeLeftovers({ files }: Host, target: string): Promise<void> {
  const directory = dirname(target);
  for (const name of (await files.list(directory)) ?? []) {
    const ours = name.endsWith(TEMPORARY_SUFFIX) || name.endsWith(`${TEMPORARY_SUFFIX}.wal`);
    if (ours) await files.remove(`${directory}/${name}`);
  }
}

/** The last report only helps to keep names; one that is damaged does not stop a rebuild. */
async function lastReport(services: AnalyticsServices, dataDirectory: string): Promise<RebuildReport | null> {
  try {
    return await readRebuildReport(services.host, dataDirectory);
  } catch (error) {
    if (!isAgnesError(error, "analytics_unreadable")) throw error;
    services.log.warn("the report of the last rebuild cannot be read", { reason: error.message });
    return null;
  }
}

const LOCK_WAIT_MS = 60_000;

async function waitForLock(
  host: Host,
  path: string,
  signal: AbortSignal | undefined,
): Promise<AsyncDisposable> {
  const until = host.monotonicMs() + LOCK_WAIT_MS;
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    throwIfAborted(signal, "the rebuild of analytics");
    try {
      return await acquireLock(path, "the analytics database");
    } catch (error) {
      if (!isAgnesError(error, "locked") || host.monotonicMs() > until) throw error;
      await host.sleep(pauseMs, signal);
    }
  }
}
