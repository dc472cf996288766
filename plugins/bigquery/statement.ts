import { AgnesError, type arrow, type SourceRelation, type SourceStatement } from "agnes/kit";

import { tablePathOf, type TablePath } from "./names.ts";
import { withPartitionCondition } from "./read.ts";
import { wantedShards } from "./read-shards.ts";
import { conditionType, selectOf } from "./select.ts";
import { SHARD_COLUMN, shardFields, shardIdOf, shardPrefixOf, shardRelation, shardSchema } from "./shards.ts";
import type { Source } from "./source.ts";
import { StatementWriter, type WrittenTable } from "./statement-writer.ts";
import { schemaOf, TYPE_KEY } from "./types.ts";

/** Types whose values are returned as in reads, besides those of conditions. */
const RETURNED = new Set(["FLOAT64"]);

type TableRelation = Extract<SourceRelation, { readonly kind: "table" }>;

/**
 * Returns a statement as GoogleSQL; null if a part of it is not tested. Each table is the SELECT that reads it, with its partition
 * condition, its shards and the conditions of the statement on its columns.
 */
export async function statementSql(
  source: Source,
  statement: SourceStatement,
  signal: AbortSignal,
): Promise<string | null> {
  const tables = new Map<string, WrittenTable>();
  for (const relation of tablesIn(statement.from)) {
    const table = await writtenTable(source, relation, signal);
    if (table === null) return null;
    tables.set(relation.alias, table);
  }
  return new StatementWriter(tables).write(statement);
}

function tablesIn(relation: SourceRelation): readonly TableRelation[] {
  switch (relation.kind) {
    case "table":
      return [relation];
    case "select":
      return tablesIn(relation.statement.from);
    case "join":
      return [...tablesIn(relation.left), ...tablesIn(relation.right)];
  }
}

async function writtenTable(
  source: Source,
  { table: info, columns, filter }: TableRelation,
  signal: AbortSignal,
): Promise<WrittenTable | null> {
  const { project } = source.settings;
  const path = tablePathOf(info.name, project);
  if (path === null) return null;
  const wanted = { columns, filter, name: info.name };
  try {
    const found = await (shardPrefixOf(path) === null
      ? plainTable(source, path, wanted, signal)
      : shardedTable(source, path, { ...wanted, filter }, signal));
    return found !== null && isSame(info.schema, found.schema, columns) ? found : null;
  } catch (error) {
    // The read of the table reports it.
    if (error instanceof AgnesError && !signal.aborted) return null;
    throw error;
  }
}

/** The columns and conditions of a table. */
type Wanted = Pick<TableRelation, "columns" | "filter"> & { readonly name: string };

async function plainTable(
  source: Source,
  path: TablePath,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<(WrittenTable & { readonly schema: arrow.Schema }) | null> {
  const table = await source.datasets.get(path, signal);
  if (table === null) return null;
  const schema = schemaOf(table.schema.fields, wanted.name);
  const { sql } = withPartitionCondition(table, selectOf(path, schema, wanted), (condition) =>
    selectOf(path, schema, { ...wanted, condition }),
  );
  return { sql, schema, typeOf: typesOf(schema) };
}

async function shardedTable(
  source: Source,
  path: TablePath,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<(WrittenTable & { readonly schema: arrow.Schema }) | null> {
  const group = await source.datasets.shards(path, signal);
  if (group.length === 0) return null;
  const { fields } = shardFields(group, wanted.name);
  const hasDate = fields.some((field) => field.name.toLowerCase() === SHARD_COLUMN);
  const shards = wantedShards(group, hasDate, { filter: wanted.filter });
  // Without a shard there is nothing to read, and a column of this name has two meanings.
  if (hasDate || shards.length === 0) return null;
  const schema = shardSchema(fields, wanted.name);
  const ids = shards.map(({ tableReference }) => shardIdOf({ table: tableReference.tableId }));
  const { sql } = selectOf(path, schema, { ...wanted, from: shardRelation(path, ids) });
  return { sql, schema, typeOf: typesOf(schema) };
}

function typesOf(schema: arrow.Schema): WrittenTable["typeOf"] {
  const types = new Map(
    schema.fields.map((field) => {
      const stored = field.metadata.get(TYPE_KEY) ?? "";
      return [String(field.name), conditionType(field) ?? (RETURNED.has(stored) ? stored : undefined)];
    }),
  );
  return (column) => types.get(column);
}

/** Whether columns still have the types for which the statement was written. */
function isSame(known: arrow.Schema, current: arrow.Schema, columns: readonly string[]): boolean {
  const typeIn = (schema: arrow.Schema, name: string) => {
    const field = schema.fields.find((one) => one.name === name);
    return field === undefined ? undefined : String(field.type);
  };
  return columns.every((name) => typeIn(known, name) === typeIn(current, name));
}
