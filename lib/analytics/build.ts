import { join, resolve } from "node:path";

import { isAgnesError, isExposedName, messageOf, throwIfAborted, type Host } from "../base/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../duckdb/mod.ts";
import { createViews } from "./create-views.ts";
import {
  databaseNames,
  isReservedName,
  tableId,
  type AnalyticsSource,
  type AnalyticsState,
  type AnalyticsTable,
  type Issue,
  type RemoteDatabase,
} from "./model.ts";
import { extractsPath } from "./paths.ts";
import { planNames, type NamePlan } from "./plan-names.ts";
import type { AnalyticsServices, BuildPlace, RebuildRequest } from "./rebuild.ts";
import { attachFailure, attachRemote, isAnyHost, refusalOf } from "./remote.ts";
import { sortIssues, type RebuildReport } from "./report.ts";
import { EXTRACT_FILE, scanExtract } from "./scan.ts";
import { createState, readAnalyticsState, stampState, stateStatements } from "./state.ts";
import { showSources } from "./show-sources.ts";

/** What building gave. */
export interface Built {
  /** Whether the file differs from the one that is published. */
  readonly changed: boolean;
  readonly report: RebuildReport;
}

/** What building works with. */
export interface BuildTools {
  readonly connection: Connection;
  /** Another database, so that listing the objects of one extract does not list all of analytics. */
  readonly scanner: Connection;
  readonly place: BuildPlace;
  readonly onCopy: boolean;
}

/** Null when the copy was not written by this version of Agnes. */
export async function buildAnalytics(
  services: AnalyticsServices,
  request: RebuildRequest,
  tools: BuildTools,
): Promise<Built | null> {
  const { connection, place } = tools;
  const catalog = databaseNames.analytics;
  await connection.run(
    `ATTACH ${quoteLiteral(place.temporary)} AS ${quoteIdentifier(catalog)};
     ATTACH ':memory:' AS ${quoteIdentifier(databaseNames.session)};
     USE ${quoteIdentifier(catalog)};`,
  );
  const previous = tools.onCopy ? await readAnalyticsState(connection, catalog) : null;
  if (tools.onCopy && previous === null) return null;
  if (!tools.onCopy) await connection.run(createState(catalog));
  const scans = await scanSources(services, request, tools, previous);
  const shown = await showSources(connection, previous, scans, request.signal);
  const names = planNames([...shown.tables, ...reservedBy(scans, shown.tables, place)], request.owners);
  const wished = shown.tables.map((table) => ({
    ...table,
    viewName: names.viewNames.get(tableId(table)) ?? null,
  }));
  const { tables, renamed, issues: unnamed } = await nameTables(connection, previous, wished, shown.remade);
  const sources = scans.flatMap((scan) => {
    const found = unnamed.filter(({ name }) => name.startsWith(`${scan.source}.`));
    if (scan.kind === "kept")
      return [{ ...scan.previous, ...(found.length > 0 && { issues: found, fingerprint: UNKNOWN }) }];
    return [sourceOf(scan, [...(shown.issues.get(scan.source) ?? []), ...found])];
  });
  const statements = stateStatements(catalog, previous, { sources, tables });
  const changed = !tools.onCopy || statements.length > 0 || shown.remade.size > 0 || renamed;
  const generation = Math.max(previous?.generation ?? 0, place.last?.generation ?? 0) + (changed ? 1 : 0);
  if (changed) {
    await connection.run(
      `BEGIN; ${statements.map((sql) => `${sql};`).join("\n")} ${stampState(catalog, generation, services.host.now())} COMMIT;
       CHECKPOINT ${quoteIdentifier(catalog)};`,
    );
  }
  await connection.run(`USE memory; DETACH ${quoteIdentifier(catalog)}`);
  return { changed, report: reportOf({ generation, sources, tables }, names) };
}

/** One folder of `extracts/`. */
export type SourceScan =
  | { readonly kind: "kept"; readonly source: string; readonly previous: AnalyticsSource }
  | {
      readonly kind: "scanned";
      readonly source: string;
      readonly directory: string;
      readonly fingerprint: string;
      readonly tables: readonly AnalyticsTable[];
      readonly remotes: readonly RemoteDatabase[];
      readonly issues: readonly Issue[];
    }
  | {
      readonly kind: "unreadable";
      readonly source: string;
      readonly directory: string;
      readonly remotes: readonly RemoteDatabase[];
      readonly issues: readonly Issue[];
    };

async function scanSources(
  services: AnalyticsServices,
  request: RebuildRequest,
  tools: BuildTools,
  previous: AnalyticsState | null,
): Promise<readonly SourceScan[]> {
  const { files } = services.host;
  const root = resolve(extractsPath(request.dataDirectory));
  const known = new Map((previous?.sources ?? []).map((source) => [source.source, source]));
  const taken = new Map<string, string>();
  const scans: SourceScan[] = [];
  for (const source of (await files.list(root)) ?? []) {
    throwIfAborted(request.signal, "the rebuild of analytics");
    const directory = join(root, source);
    const stat = await statOf(services.host, join(directory, EXTRACT_FILE));
    if (stat === null) continue;
    const twin = taken.get(source.toLowerCase());
    const reason = nameProblem(source, twin);
    taken.set(source.toLowerCase(), source);
    const before = known.get(source);
    const fingerprint = `${stat} ${settingsOf(services.host.env, request)}`;
    if (reason !== null) {
      const issues: Issue[] = [{ kind: "skipped", name: source, reason }];
      scans.push({ kind: "scanned", source, directory, fingerprint, tables: [], remotes: [], issues });
    } else if (
      before?.fingerprint === fingerprint &&
      before.directory === directory &&
      request.full !== true
    ) {
      scans.push({ kind: "kept", source, previous: before });
    } else {
      scans.push(await scanOne(services, request, tools, { source, directory, fingerprint, before }));
    }
  }
  return scans;
}

/** The fingerprint that no extract has. */
const UNKNOWN = "";

interface Scanned {
  readonly source: string;
  readonly directory: string;
  readonly fingerprint: string;
  readonly before: AnalyticsSource | undefined;
}

async function scanOne(
  services: AnalyticsServices,
  request: RebuildRequest,
  { scanner, connection }: BuildTools,
  { source, directory, fingerprint, before }: Scanned,
): Promise<SourceScan> {
  try {
    const scan = await scanExtract(scanner, source, directory);
    const remotes: RemoteDatabase[] = [];
    for (const remote of scan.remotes) {
      const declared = (await request.declaredRemote?.(source)) ?? null;
      const same =
        declared !== null &&
        declared.extension === remote.extension &&
        declared.url === remote.url &&
        declared.tokenEnv === remote.tokenEnv;
      const asked = { ...remote, declared: same };
      if (isAnyHost(services.host.env, asked)) {
        services.log.warn("a source may attach any host; AGNES_REMOTE_ATTACH_HOST_ALLOWLIST limits it", {
          source,
        });
      }
      const refusal =
        refusalOf(services.host.env, asked) ??
        (await tryAttach(services, request, connection, source, asked));
      remotes.push({ ...asked, refusal });
    }
    return {
      kind: "scanned",
      source,
      directory,
      fingerprint,
      tables: scan.tables,
      remotes,
      issues: scan.issues,
    };
  } catch (error) {
    if (!isAgnesError(error) || isAgnesError(error, "aborted") || isAgnesError(error, "disk_full"))
      throw error;
    services.log.error("an extract cannot be read; what it showed before stays", {
      source,
      reason: error.message,
    });
    const issue: Issue = { kind: "error", name: source, code: error.code, reason: error.message };
    return { kind: "unreadable", source, directory, remotes: before?.remotes ?? [], issues: [issue] };
  }
}

async function tryAttach(
  services: AnalyticsServices,
  request: RebuildRequest,
  connection: Connection,
  source: string,
  remote: Omit<RemoteDatabase, "refusal">,
): Promise<string | null> {
  try {
    await attachRemote(connection, services.host.env, source, remote, {
      install: request.installExtensions === true,
    });
    await connection.run(`DETACH ${quoteIdentifier(databaseNames.remote(source, remote.alias))}`);
    return null;
  } catch (error) {
    return attachFailure(services.host.env, remote, error);
  }
}

function nameProblem(source: string, twin: string | undefined): string | null {
  if (!isExposedName(source)) return "the folder's name is not a valid source name";
  if (isReservedName(source))
    return "the source's name means something else in SQL; give it another one in agnes.yaml";
  return twin === undefined ? null : `the source's name differs from ${twin} only in case`;
}

async function statOf(host: Host, path: string): Promise<string | null> {
  const stat = await host.files.stat(path);
  if (stat === null) return null;
  const nowMs = host.now().getTime();
  // Within the clock's resolution a second change would look the same; such a file is looked at again next time.
  const recent = nowMs - stat.modifiedAtMs < (Number.isInteger(stat.modifiedAtMs / 1000) ? 2500 : 50);
  return `${stat.sizeBytes} ${stat.modifiedAtMs}${recent ? ` ${nowMs}` : ""}`;
}

/** What else decides how a source is shown. */
function settingsOf(env: Host["env"], request: RebuildRequest): string {
  const names = ["EXTENSIONS", "TOKEN_ENVS", "HOST_ALLOWLIST"].map(
    (name) => env[`AGNES_REMOTE_ATTACH_${name}`] ?? "-",
  );
  return [...names, request.declaredRemote === undefined ? "lists" : "declared"].join(" ");
}

/** What went wrong may be mended where nobody sees it, so such a source is looked at again every time. */
function sourceOf(scan: Exclude<SourceScan, { kind: "kept" }>, issues: readonly Issue[]): AnalyticsSource {
  const { source, directory, remotes } = scan;
  const settled =
    scan.kind === "scanned" &&
    issues.every(({ kind }) => kind !== "error") &&
    remotes.every(({ refusal }) => refusal === null);
  return { source, directory, remotes, issues, fingerprint: settled ? scan.fingerprint : UNKNOWN };
}

/** Tables of unreadable extracts that are not shown keep their names from others all the same. */
function reservedBy(
  scans: readonly SourceScan[],
  tables: readonly AnalyticsTable[],
  { last }: BuildPlace,
): readonly { readonly source: string; readonly name: string }[] {
  const unreadable = new Set(scans.filter(({ kind }) => kind === "unreadable").map(({ source }) => source));
  const shown = new Set(tables.map(tableId));
  return (last?.published ?? [])
    .filter(({ id }) => unreadable.has(id.split(".")[0]!) && !shown.has(id))
    .map(({ id }) => ({ source: id.split(".")[0]!, name: id.split(".")[1]! }));
}

interface NamedTables {
  readonly tables: readonly AnalyticsTable[];
  readonly renamed: boolean;
  readonly issues: readonly Issue[];
}

/** Makes the views of schema `main`. */
async function nameTables(
  connection: Connection,
  previous: AnalyticsState | null,
  tables: readonly AnalyticsTable[],
  remade: ReadonlySet<string>,
): Promise<NamedTables> {
  const before = namesOf(previous?.tables ?? []);
  const after = namesOf(tables);
  const drop = [...before.keys()].filter((name) => !after.has(name));
  if (drop.length > 0) {
    await connection.run(drop.map((name) => `DROP VIEW IF EXISTS main.${quoteIdentifier(name)};`).join("\n"));
  }
  const create = tables
    .filter((t) => t.viewName !== null && (before.get(t.viewName) !== tableId(t) || remade.has(tableId(t))))
    .map((t) => {
      const target = `${quoteIdentifier(t.source)}.${quoteIdentifier(t.name)}`;
      return {
        id: tableId(t),
        sql: `CREATE OR REPLACE VIEW main.${quoteIdentifier(t.viewName!)} AS SELECT * FROM ${target}`,
      };
    });
  const failures = await createViews(connection, create, undefined);
  const issues = [...failures].map(([name, error]): Issue => ({
    kind: "error",
    name,
    code: "view_failed",
    reason: messageOf(error),
  }));
  return {
    tables: tables.map((table) => (failures.has(tableId(table)) ? { ...table, viewName: null } : table)),
    renamed: drop.length > 0 || create.length > 0,
    issues,
  };
}

function namesOf(tables: readonly AnalyticsTable[]): ReadonlyMap<string, string> {
  return new Map(tables.flatMap((t) => (t.viewName === null ? [] : [[t.viewName, tableId(t)] as const])));
}

function reportOf(state: AnalyticsState, names: NamePlan): RebuildReport {
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
      way: table.way,
    })),
    ...sortIssues(issues),
    conflicts: names.conflicts,
    remotes: state.tables.flatMap((table) => {
      if (table.remote === null) return [];
      const database = remoteOf.get(`${table.source} ${table.remote.alias}`);
      const reason = database === undefined ? "the extract names no database for it" : database.refusal;
      return [{ id: tableId(table), way: reason === null ? ("attach" as const) : ("live" as const), reason }];
    }),
  };
}
