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
 * Updates `analytics.duckdb` to the current extracts: it contains each table under its view name in schema `main`, and
 * as `<source>.<name>`. The file is replaced by a rename, so readers of the old file are not affected.
 *
 * The failure of a table or an extract is reported, and all others are published. An unreadable extract keeps its names
 * and, if its parts still exist, its views.
 *
 * @throws `disk_full`, `file_failed`, `locked` after waiting a minute for another rebuild, `aborted`; the previous file
 * stays
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

/** Builds on a copy of the previous file, so that only changes cost time; from scratch if that cannot be read. */
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
  await using database = await openDatabase({ files: services.host.files, limits });
  await using connection = await database.connect();
  return await buildAnalytics(services, request, { connection, place, onCopy });
}

/** Removes the temporary files of a killed rebuild. Only the holder of the lock may call it. */
async function removeLeftovers({ files }: Host, target: string): Promise<void> {
  const directory = dirname(target);
  for (const name of (await files.list(directory)) ?? []) {
    const ours = name.endsWith(TEMPORARY_SUFFIX) || name.endsWith(`${TEMPORARY_SUFFIX}.wal`);
    if (ours) await files.remove(`${directory}/${name}`);
  }
}

/** Reads the last report, which only serves to keep names; a damaged report does not stop a rebuild. */
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
      return await acquireLock(host.files, path, "the analytics database");
    } catch (error) {
      if (!isAgnesError(error, "locked") || host.monotonicMs() > until) throw error;
      await host.sleep(pauseMs, signal);
    }
  }
}
