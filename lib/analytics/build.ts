import { quoteIdentifier, quoteLiteral, restrictTo, type Connection } from "../duckdb/mod.ts";
import { scanSources, UNKNOWN, type SourceScan } from "./extracts/scan-sources.ts";
import { databaseNames, tableId, type AnalyticsSource, type AnalyticsState, type Issue } from "./model.ts";
import { sortIssues, type RebuildReport, type ReservedName } from "./report.ts";
import type { AnalyticsServices, RebuildRequest } from "./request.ts";
import { createState, readAnalyticsState, stampState, stateStatements } from "./state.ts";
import { nameTables } from "./views/name-tables.ts";
import { planNames, type NamePlan } from "./views/plan-names.ts";
import { publishSources, type PublishedSources } from "./views/publish-sources.ts";

/** The paths of a build, and the previous report. */
export interface BuildPlace {
  readonly target: string;
  readonly temporary: string;
  readonly last: RebuildReport | null;
}

/** The result of a build. */
export interface Built {
  /** Whether the file differs from the published one. */
  readonly changed: boolean;
  readonly report: RebuildReport;
}

/** The connection and paths of a build. */
export interface BuildTools {
  readonly connection: Connection;
  readonly place: BuildPlace;
  readonly onCopy: boolean;
}

/** After a crash, nothing refers to the temporary file, so each commit would sync its log for nothing. */
const WITHOUT_LOG = "RECOVERY_MODE no_wal_writes";
/** Small blocks, because each column of the small tables of the state takes at least one. A copy keeps its own size. */
const BLOCK_SIZE_BYTES = 16_384;

/** Builds `analytics.duckdb`; null if the copy was written by another version of Agnes. */
export async function buildAnalytics(
  services: AnalyticsServices,
  request: RebuildRequest,
  tools: BuildTools,
): Promise<Built | null> {
  const { connection, place } = tools;
  const catalog = databaseNames.analytics;
  const options = tools.onCopy ? WITHOUT_LOG : `${WITHOUT_LOG}, BLOCK_SIZE ${BLOCK_SIZE_BYTES}`;
  await connection.run(
    `ATTACH ${quoteLiteral(place.temporary)} AS ${quoteIdentifier(catalog)} (${options});
     ATTACH ':memory:' AS ${quoteIdentifier(databaseNames.session)};
     USE ${quoteIdentifier(catalog)};`,
  );
  const previous = tools.onCopy ? await readAnalyticsState(connection, catalog) : null;
  if (tools.onCopy && previous === null) return null;
  if (!tools.onCopy) await connection.run(createState(catalog));
  const scans = await scanSources(services, request, previous, place.last);
  // Below, the views of extracts are created, which may only read their own folders.
  await connection.run(restrictTo({ directories: scans.map(directoryOf) }));
  const visible = await publishSources(services.host.files, connection, previous, scans, request.signal);
  const reserved = reservedBy(scans, visible, place);
  const present = [...visible.tables, ...reserved.map(({ id }) => partsOf(id))];
  const names = planNames(present, request.owners, holdersOf(previous, place));
  // Extracts list tables in the order of their reads; the result does not depend on it.
  const candidates = visible.tables
    .map((table) => ({ ...table, viewName: names.viewNames.get(tableId(table)) ?? null }))
    .sort((a, b) => (tableId(a) < tableId(b) ? -1 : 1));
  const {
    tables,
    renamed,
    issues: unnamed,
  } = await nameTables(connection, previous, candidates, visible.recreated);
  const sources = scans.flatMap((scan) => {
    const found = unnamed.filter(({ name }) => name.startsWith(`${scan.source}.`));
    if (scan.kind === "kept")
      return [{ ...scan.previous, ...(found.length > 0 && { issues: found, fingerprint: UNKNOWN }) }];
    return [sourceOf(scan, [...(visible.issues.get(scan.source) ?? []), ...found])];
  });
  const statements = stateStatements(catalog, previous, { sources, tables });
  const changed = !tools.onCopy || statements.length > 0 || visible.recreated.size > 0 || renamed;
  const generation = Math.max(previous?.generation ?? 0, place.last?.generation ?? 0) + (changed ? 1 : 0);
  if (changed) {
    await connection.run(
      `BEGIN; ${statements.map((sql) => `${sql};`).join("\n")} ${stampState(catalog, generation, services.host.now())} COMMIT`,
    );
    // A thread of the pool would spin while the disk is synced.
    await connection.run(`CHECKPOINT ${quoteIdentifier(catalog)}`, { inBackground: true });
  }
  await connection.run(`USE memory; DETACH ${quoteIdentifier(catalog)}`);
  return { changed, report: reportOf({ generation, sources, tables }, names, reserved) };
}

/** A source with problems is scanned by every rebuild, because their causes may be fixed without a visible change. */
function sourceOf(scan: Exclude<SourceScan, { kind: "kept" }>, issues: readonly Issue[]): AnalyticsSource {
  const { source, directory, remotes } = scan;
  const settled =
    scan.kind === "scanned" &&
    issues.every(({ kind }) => kind !== "error") &&
    remotes.every(({ refusal }) => refusal === null);
  return {
    source,
    directory,
    remotes,
    issues,
    fingerprint: settled ? scan.fingerprint : UNKNOWN,
    digest: scan.digest,
    strange: scan.strange,
  };
}

function directoryOf(scan: SourceScan): string {
  return scan.kind === "kept" ? scan.previous.directory : scan.directory;
}

/** Reserves the names of tables that cannot be read now, because they still exist. */
function reservedBy(
  scans: readonly SourceScan[],
  { tables, issues }: PublishedSources,
  { last }: BuildPlace,
): readonly ReservedName[] {
  const unreadable = new Set(scans.filter(({ kind }) => kind === "unreadable").map(({ source }) => source));
  const failed = new Set(
    [...issues.values()].flat().flatMap((one) => (one.kind === "error" ? [one.name] : [])),
  );
  const visible = new Set(tables.map(tableId));
  return [...(last?.published ?? []), ...(last?.reserved ?? [])]
    .filter(({ id }) => (unreadable.has(partsOf(id).source) || failed.has(id)) && !visible.has(id))
    .map(({ id, viewName }) => ({ id, viewName }));
}

const NO_DATABASE = "the extract declares no database for it";

/** Returns the previous table of each name. The database takes precedence over the report. */
function holdersOf(previous: AnalyticsState | null, { last }: BuildPlace): ReadonlyMap<string, string> {
  const named = [
    ...(last?.reserved ?? []),
    ...(last?.published ?? []),
    ...(previous?.tables ?? []).map((table) => ({ id: tableId(table), viewName: table.viewName })),
  ];
  return new Map(
    named.flatMap(({ id, viewName }) => (viewName === null ? [] : [[viewName.toLowerCase(), id]])),
  );
}

function partsOf(id: string): { readonly source: string; readonly name: string } {
  const dot = id.indexOf(".");
  return { source: id.slice(0, dot), name: id.slice(dot + 1) };
}

function reportOf(state: AnalyticsState, names: NamePlan, reserved: readonly ReservedName[]): RebuildReport {
  const issues = state.sources.flatMap((source) => source.issues);
  const remoteOf = new Map(
    state.sources.flatMap((s) => s.remotes.map((r) => [`${s.source} ${r.alias}`, r] as const)),
  );
  return {
    generation: state.generation,
    finishedAt: "",
    published: state.tables.map((table) => ({
      id: tableId(table),
      viewName: table.viewName,
      accessMode: table.accessMode,
    })),
    ...sortIssues(issues),
    conflicts: names.conflicts,
    reserved,
    remotes: state.tables.flatMap((table) => {
      if (table.remote === null) return [];
      const database = remoteOf.get(`${table.source} ${table.remote.alias}`);
      // A source that does not support attaching declares no database; its connector reads the table.
      const reason = database === undefined && table.remote.alias !== "" ? NO_DATABASE : database?.refusal;
      const accessMode =
        database === undefined || database.refusal !== null ? ("live" as const) : ("attach" as const);
      return [{ id: tableId(table), accessMode, reason: reason ?? null }];
    }),
  };
}
