import { isAgnesError, messageOf, type Files } from "../../base/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import { findUnsafe } from "../extracts/unsafe-files.ts";
import type { SourceScan } from "../extracts/scan-sources.ts";
import { createViews, type ViewStatement } from "./create-views.ts";
import { databaseNames, tableId, type AnalyticsState, type AnalyticsTable, type Issue } from "../model.ts";

/** The visible tables, before names in `main` are assigned. */
export interface PublishedSources {
  readonly tables: readonly AnalyticsTable[];
  /** Ids of tables whose view was created again. */
  readonly recreated: ReadonlySet<string>;
  readonly issues: ReadonlyMap<string, readonly Issue[]>;
}

/** Creates the views `<source>.<name>` of changed tables, and drops those of removed tables. */
export async function publishSources(
  files: Files,
  connection: Connection,
  previous: AnalyticsState | null,
  scans: readonly SourceScan[],
  signal: AbortSignal | undefined,
): Promise<PublishedSources> {
  const before = groupBySource(previous?.tables ?? []);
  const issues = new Map<string, Issue[]>();
  const tables: AnalyticsTable[] = [];
  const recreated = new Set<string>();
  await dropGone(connection, previous, scans);
  const kept = scans.flatMap((scan) => (scan.kind === "scanned" ? [] : (before.get(scan.source) ?? [])));
  await createStubs(connection, kept);
  for (const scan of scans) {
    const old = before.get(scan.source) ?? [];
    if (scan.kind === "kept") {
      tables.push(...old);
      continue;
    }
    const found: Issue[] = [...scan.issues];
    issues.set(scan.source, found);
    const published =
      scan.kind === "unreadable"
        ? await keepOld(files, connection, { old, found, scan })
        : await publishTables(connection, scan, { old, found, recreated, signal });
    tables.push(...published);
  }
  return { tables: await countColumns(connection, tables, recreated), recreated, issues };
}

/** The tables of a readable source. */
async function publishTables(
  connection: Connection,
  scan: SourceScan & { readonly kind: "scanned" },
  context: {
    readonly old: readonly AnalyticsTable[];
    readonly found: Issue[];
    readonly recreated: Set<string>;
    readonly signal: AbortSignal | undefined;
  },
): Promise<readonly AnalyticsTable[]> {
  const { old, found, recreated, signal } = context;
  const oldById = new Map(old.map((table) => [tableId(table), table]));
  const scanned = new Map(scan.tables.map((table) => [tableId(table), table]));
  const gone = old.filter((table) => !scanned.has(tableId(table)));
  await runAll(connection, [
    ...(scan.tables.length === 0 ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(scan.source)}`]),
    ...gone.map(dropView),
  ]);
  await createStubs(connection, scan.tables);
  const make = scan.tables.filter((table) => !sameView(oldById.get(tableId(table)), table));
  const failures = await createViews(connection, make.map(viewStatement), signal);
  for (const table of make) if (!failures.has(tableId(table))) recreated.add(tableId(table));
  const published: AnalyticsTable[] = [];
  for (const table of scan.tables) {
    const id = tableId(table);
    const earlier = oldById.get(id);
    const failure = failures.get(id);
    if (failure === undefined) {
      published.push({ ...table, columns: earlier?.columns ?? null });
      continue;
    }
    const reason = messageOf(failure);
    found.push({
      kind: "error",
      name: id,
      code: isAgnesError(failure) ? failure.code : "view_failed",
      reason,
    });
    if (earlier !== undefined && (await isReadable(connection, earlier)))
      published.push({ ...earlier, staleReason: reason });
    else if (earlier !== undefined) await connection.run(dropView(earlier));
  }
  return published;
}

/** The tables of an unreadable extract, which is not treated as missing. */
async function keepOld(
  files: Files,
  connection: Connection,
  {
    old,
    found,
    scan,
  }: {
    readonly old: readonly AnalyticsTable[];
    readonly found: Issue[];
    readonly scan: SourceScan & { readonly kind: "unreadable" };
  },
): Promise<readonly AnalyticsTable[]> {
  const reason = scan.issues[0]?.reason ?? "unreadable";
  const unsafe = await findUnsafe(files, scan, old);
  const kept: AnalyticsTable[] = [];
  for (const table of old) {
    if (!unsafe.includes(table) && (await isReadable(connection, table))) {
      kept.push({ ...table, staleReason: reason });
      continue;
    }
    await connection.run(dropView(table));
    found.push({
      kind: "error",
      name: tableId(table),
      code: "view_failed",
      reason: unsafe.includes(table) ? "its files are now links or pipes" : "its files are also missing",
    });
  }
  return kept;
}

/** Whether an existing view is still readable. */
async function isReadable(connection: Connection, table: AnalyticsTable): Promise<boolean> {
  if (table.accessMode !== "file") return true;
  try {
    await connection.rows(`SELECT * FROM ${qualified(table)} LIMIT 0`);
    return true;
  } catch {
    return false;
  }
}

async function dropGone(
  connection: Connection,
  previous: AnalyticsState | null,
  scans: readonly SourceScan[],
): Promise<void> {
  const present = new Set(scans.map(({ source }) => source));
  const showing = new Set(previous?.tables.map(({ source }) => source));
  // A source without views has no schema: DuckDB would drop the schema of a source whose name differs only in case.
  const gone = (previous?.sources ?? []).filter(({ source }) => !present.has(source) && showing.has(source));
  await runAll(
    connection,
    gone.map(({ source }) => `DROP SCHEMA IF EXISTS ${quoteIdentifier(source)} CASCADE`),
  );
}

/**
 * Creates placeholder tables for remote tables, which only a session attaches, so that DuckDB can create a view over
 * them. The actual columns are resolved when the view is read.
 */
async function createStubs(connection: Connection, tables: readonly AnalyticsTable[]): Promise<void> {
  for (const table of tables) {
    if (table.accessMode === "file") continue;
    const schema = `${quoteIdentifier(databaseNames.session)}.${quoteIdentifier(table.source)}`;
    await connection.run(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    const create = (columns: string) =>
      connection.run(`CREATE TABLE IF NOT EXISTS ${schema}.${quoteIdentifier(table.name)} (${columns})`);
    const columns = (table.sourceColumns ?? []).map(({ name, type }) => `${quoteIdentifier(name)} ${type}`);
    try {
      await create(columns.join(", ") || UNKNOWN_COLUMNS);
    } catch {
      await create(UNKNOWN_COLUMNS);
    }
  }
}

const UNKNOWN_COLUMNS = "unknown VARCHAR";

async function countColumns(
  connection: Connection,
  tables: readonly AnalyticsTable[],
  recreated: ReadonlySet<string>,
): Promise<readonly AnalyticsTable[]> {
  if (recreated.size === 0) return tables;
  const rows = await connection.rows<{ id: string; n: bigint }>(
    `SELECT schema_name || '.' || view_name AS id, column_count AS n FROM duckdb_views()
     WHERE database_name = ${quoteLiteral(databaseNames.analytics)} AND NOT internal`,
  );
  const counts = new Map(rows.map(({ id, n }) => [id, Number(n)]));
  return tables.map((table) => {
    if (!recreated.has(tableId(table))) return table;
    const known = table.accessMode === "file" || table.sourceColumns !== null;
    return { ...table, columns: known ? (counts.get(tableId(table)) ?? null) : null };
  });
}

function sameView(old: AnalyticsTable | undefined, table: AnalyticsTable): boolean {
  return (
    old !== undefined &&
    // Parts of Agnes never change, but files of other programs may have other columns under the same path.
    table.generation !== null &&
    old.accessMode === table.accessMode &&
    (table.accessMode !== "file" || old.definition === table.definition) &&
    JSON.stringify(old.sourceColumns) === JSON.stringify(table.sourceColumns)
  );
}

function viewStatement(table: AnalyticsTable): ViewStatement {
  const stub = [databaseNames.session, table.source, table.name].map(quoteIdentifier).join(".");
  const select = table.accessMode === "file" ? table.definition : `SELECT * FROM ${stub}`;
  return { id: tableId(table), sql: `CREATE OR REPLACE VIEW ${qualified(table)} AS ${select}` };
}

function dropView(table: AnalyticsTable): string {
  return `DROP VIEW IF EXISTS ${qualified(table)}`;
}

function qualified(table: AnalyticsTable): string {
  return `${quoteIdentifier(table.source)}.${quoteIdentifier(table.name)}`;
}

async function runAll(connection: Connection, statements: readonly string[]): Promise<void> {
  if (statements.length === 0) return;
  await connection.run(`BEGIN; ${statements.map((sql) => `${sql};`).join("\n")} COMMIT;`);
}

function groupBySource(tables: readonly AnalyticsTable[]): ReadonlyMap<string, readonly AnalyticsTable[]> {
  const groups = new Map<string, AnalyticsTable[]>();
  for (const table of tables) {
    const group = groups.get(table.source);
    if (group === undefined) groups.set(table.source, [table]);
    else group.push(table);
  }
  return groups;
}
