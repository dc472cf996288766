import { quoteLiteral } from "../../duckdb/mod.ts";
import type { ExtractState, PublishedTable } from "../state/extract-state.ts";
import { createRemoteAttach, createTables, WHOLE_EXTRACT } from "./tables-sql.ts";

type Value = string | number | Date | null;
type Rows = readonly (readonly Value[])[];

/** How many rows one INSERT holds. */
const INSERT_ROWS = 500;

/** The statements that make and fill every table of an `extract.duckdb`; the views are left. */
export function sideTables(state: ExtractState): readonly string[] {
  const { tables, remotes } = state;
  return [
    ...createTables,
    ...insert("_generation", [generationRow(state)]),
    ...insert(
      "_meta",
      tables.map((t) => [t.name, t.description, t.rows, t.sizeBytes, t.extractedAt, t.mode]),
    ),
    ...insert("_parts", tables.flatMap(partRows)),
    ...insert("_schema", tables.flatMap(schemaRows)),
    ...insert("_cursor", [...tables.map(cursorRow), wholeExtractRow(state)]),
    ...(remotes.length === 0 ? [] : [createRemoteAttach]),
    ...insert(
      "_remote_attach",
      remotes.map((r) => [r.alias, r.extension, r.url, r.tokenEnv]),
    ),
  ];
}

function generationRow({ generation: g }: ExtractState): readonly Value[] {
  return [g.number, g.runId, g.kind, g.plugin, g.pluginVersion, g.startedAt, g.finishedAt, g.directory];
}

function partRows({ name, parts }: PublishedTable): Rows {
  return parts.map((p, ordinal) => [
    name,
    ordinal,
    p.path,
    p.rows,
    p.sizeBytes,
    p.sha256,
    p.schemaVersion,
    p.partition,
    p.origin,
    p.keyMin,
    p.keyMax,
    p.cursorMin,
    p.cursorMax,
    p.format,
  ]);
}

function schemaRows({ name, schemas }: PublishedTable): Rows {
  return schemas.map((s) => [
    name,
    s.version,
    s.generation,
    s.changedAt,
    JSON.stringify(s.columns),
    JSON.stringify(s.sourceColumns),
    JSON.stringify(s.changes),
  ]);
}

function cursorRow(table: PublishedTable): readonly Value[] {
  return [
    table.name,
    table.cursor?.column ?? null,
    table.cursor?.value ?? null,
    table.state === undefined ? null : JSON.stringify(table.state),
    JSON.stringify(table.sourceColumns),
    table.definition,
    table.tombstones.length === 0 ? null : JSON.stringify(table.tombstones),
    null,
    table.remote === undefined ? null : JSON.stringify(table.remote),
    table.reading === undefined ? null : JSON.stringify(table.reading),
  ];
}

function wholeExtractRow({ eventIds }: ExtractState): readonly Value[] {
  const ids = eventIds.length === 0 ? null : JSON.stringify(eventIds);
  return [WHOLE_EXTRACT, null, null, null, null, null, null, ids, null, null];
}

function insert(table: string, rows: Rows): readonly string[] {
  const statements: string[] = [];
  for (let from = 0; from < rows.length; from += INSERT_ROWS) {
    const values = rows.slice(from, from + INSERT_ROWS).map((row) => `(${row.map(literal).join(", ")})`);
    statements.push(`INSERT INTO ${table} VALUES ${values.join(", ")}`);
  }
  return statements;
}

function literal(value: Value): string {
  if (value === null) return "NULL";
  if (value instanceof Date) return quoteLiteral(value.toISOString().slice(0, -1).replace("T", " "));
  return typeof value === "number" ? String(value) : quoteLiteral(value);
}
