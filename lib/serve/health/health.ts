import { isAgnesError, withDeadline } from "../../base/mod.ts";
import {
  OTHER_FORMAT_REASON,
  outdatedSources,
  readRebuildReport,
  type RebuildReport,
} from "../../analytics/mod.ts";
import { FILE_FORMAT } from "../../catalog/mod.ts";
import { openDatabase } from "../../duckdb/mod.ts";
import type { CheckedEntry } from "../../query/mod.ts";
import type { SourceHealth } from "../../sync/mod.ts";
import { hidePaths } from "../http/hide-paths.ts";
import type { ServeServices } from "../services.ts";
import type { HealthDetail } from "./schemas.ts";
import { storedHealth } from "./source-health.ts";

/** The time for each part. They run at the same time. */
const PART_TIMEOUT_MS = 2_000;

/** What the parts read. */
interface Published {
  readonly report: RebuildReport | null;
  /** The error instead of the catalog, if it cannot be read. */
  readonly catalog: readonly CheckedEntry[] | Error;
}

/**
 * Checks the parts of a workspace without a request to any source. A part that fails or takes too long is null and listed
 * in `failed`.
 */
export async function healthDetail(services: ServeServices): Promise<HealthDetail> {
  const { host, workspace } = services;
  const { config, dataDirectory } = workspace.workspace;
  const failed: string[] = [];
  const part = async <T>(name: string, work: () => Promise<T>): Promise<T | null> => {
    try {
      const limits = { timeoutMs: PART_TIMEOUT_MS };
      return await withDeadline(`the check of ${name}`, limits, () => services.track(work()));
    } catch (error) {
      services.log.warn("a part of the health check failed", { part: name, error });
      failed.push(name);
      return null;
    }
  };
  const published = part("analytics", () => readPublished(services));
  const [read, outdated, health, freeBytes, extensions] = await Promise.all([
    published,
    part("publishing", () => outdatedOf(services)),
    part("source_health", () => workspace.health.last()),
    part("disk", () => host.files.freeBytes(dataDirectory)),
    part("extensions", () => installedExtensions(services)),
  ]);
  const dbSchema = read === null ? "unhealthy" : schemaState(read);
  const scheduler = services.syncs.scheduler;
  const isOk = dbSchema === "ok" && outdated === null && failed.length === 0 && scheduler !== "failed";
  return {
    status: isOk ? "ok" : "degraded",
    db_schema: dbSchema,
    generation: read?.report?.generation ?? null,
    config_version: config.version,
    state_format: FILE_FORMAT,
    sources: hidden(sourcesOf(services, read, health), services.folders),
    remote_tables: (read?.report?.remotes ?? []).map(({ id, accessMode }) => ({ id, access: accessMode })),
    disk: { free_bytes: freeBytes },
    extensions,
    workers: workspace.workers(),
    scheduler,
    outdated,
    failed,
  };
}

async function readPublished({ host, workspace }: ServeServices): Promise<Published> {
  const report = await readRebuildReport(host, workspace.workspace.dataDirectory);
  const catalog = await workspace.catalog().catch((error: unknown) => {
    if (isAgnesError(error)) return error;
    throw error;
  });
  return { report, catalog };
}

/** The sources whose new rows are not visible, although no run of them continues. */
async function outdatedOf({ host, workspace }: ServeServices): Promise<HealthDetail["outdated"]> {
  const { config, dataDirectory } = workspace.workspace;
  const running = await (await workspace.runs()).running();
  const ended = Object.keys(config.sources).filter((source) => !running.has(source));
  const sources = await outdatedSources(host, dataDirectory, ended);
  const hint =
    "See the warning of the last run of the source, then run `agnes sync`, or send `POST /api/admin/registry/rebuild`.";
  return sources.length === 0 ? null : { sources: [...sources], hint };
}

function schemaState({ report, catalog }: Published): HealthDetail["db_schema"] {
  if (catalog instanceof Error) {
    const isOther =
      isAgnesError(catalog, "analytics_unreadable") && catalog.details.reason === OTHER_FORMAT_REASON;
    return isOther ? "mismatch" : "unhealthy";
  }
  const ids = new Set(catalog.map(({ id }) => id));
  const isComplete = (report?.published ?? []).every(({ id }) => ids.has(id));
  return isComplete ? "ok" : "unhealthy";
}

function hidden<T>(value: T, folders: readonly string[]): T {
  return hidePaths(value, folders) as T;
}

function sourcesOf(
  { workspace }: ServeServices,
  read: Published | null,
  health: readonly SourceHealth[] | null,
): HealthDetail["sources"] {
  const plugins = new Map(workspace.plugins.list().map((plugin) => [plugin.name, plugin]));
  const entries = read === null || read.catalog instanceof Error ? [] : read.catalog;
  return Object.entries(workspace.workspace.config.sources).map(([name, { plugin }]) => {
    const checked = entries.flatMap(({ source, checkedAt }) => (source === name ? (checkedAt ?? []) : []));
    const error = read?.report?.errors.find((one) => one.name === name || one.name.startsWith(`${name}.`));
    const own = health?.find(({ source }) => source === name);
    return {
      name,
      plugin,
      plugin_loaded: plugins.has(plugin),
      receives_webhooks: plugins.get(plugin)?.capabilities.includes("stream") === true,
      health: own === undefined ? null : storedHealth(own, { isAdmin: true, access: null }),
      last_sync_at: checked.sort().at(-1) ?? null,
      last_error: error === undefined ? null : { name: error.name, code: error.code },
    };
  });
}

/** The DuckDB extensions of this machine. */
async function installedExtensions({ host }: ServeServices): Promise<HealthDetail["extensions"]> {
  await using database = await openDatabase({ files: host.files });
  await using connection = await database.connect();
  return [
    ...(await connection.rows<{ name: string; version: string }>(
      "SELECT extension_name AS name, extension_version AS version FROM duckdb_extensions() WHERE installed OR loaded ORDER BY name",
    )),
  ];
}
