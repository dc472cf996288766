import { fileRelation, quoteIdentifier, quoteLiteral } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../schema/column.ts";
import type { TableContext } from "../services.ts";
import { localRelation, type LocalChunk } from "./local-chunk.ts";
import type { WriteTarget } from "./write-parts.ts";

interface Rejected {
  readonly row: bigint;
  readonly column: string;
  readonly value: string;
  readonly type: string;
  readonly record: string;
}

/**
 * Sets the rows of a file aside that hold a value which does not fit, and gives the SELECT of the others.
 *
 * Only done after a plain read failed, since it looks at every value as text.
 */
export async function setAsideRows(
  context: TableContext,
  chunk: LocalChunk,
  present: readonly Pick<PublishedColumn, "name" | "type">[],
  target: WriteTarget,
): Promise<string> {
  const isParquet = chunk.format === "parquet";
  const texts = Object.fromEntries(present.map(({ name }) => [name, "VARCHAR"]));
  const relation = isParquet
    ? fileRelation(chunk)
    : localRelation(
        chunk.format === "csv" ? { ...chunk, types: texts } : chunk,
        present.map(({ name }) => ({ name, type: "VARCHAR" })),
      );
  const has = new Set(present.map((column) => column.name));
  const converted = (name: string, type: string) => conversion(chunk, name, type);
  const checked = target.columns.filter(({ name, type }) => has.has(name) && type !== "VARCHAR");
  const misfit = ({ name, type }: PublishedColumn) =>
    `(${quoteIdentifier(name)} IS NOT NULL AND ${converted(name, type)} IS NULL)`;
  const described = (column: PublishedColumn) => {
    const value = `CAST(${quoteIdentifier(column.name)} AS VARCHAR)`;
    const fields = `'name': ${quoteLiteral(column.name)}, 'type': ${quoteLiteral(column.type)}, 'value': ${value}`;
    return `CASE WHEN ${misfit(column)} THEN {${fields}} END`;
  };
  const rejects = checked.map(misfit).join(" OR ") || "false";
  await using connection = await context.database.connect();
  const found = await connection.rows<Rejected>(
    `SELECT row, misfit.name AS "column", misfit.type AS type, misfit.value AS value, record FROM (
       SELECT agnes_row AS row, CAST(to_json(t) AS VARCHAR) AS record, unnest([${checked.map(described).join(", ")}]) AS misfit
       FROM (SELECT row_number() OVER () AS agnes_row, * FROM ${relation}) t WHERE ${rejects}
     ) WHERE misfit IS NOT NULL`,
    { signal: context.signal },
  );
  const seen = new Set<bigint>();
  for (const { row, column, value, type, record } of found) {
    if (seen.has(row)) continue;
    seen.add(row);
    const { agnes_row: _, ...rest } = JSON.parse(record) as Record<string, unknown>;
    target.quarantine!.add({ row: Number(row), column, value, reason: `it is not ${type}`, record: rest });
  }
  const list = target.columns.map(({ name, type }) => {
    const quoted = quoteIdentifier(name);
    if (!has.has(name)) return `CAST(NULL AS ${type}) AS ${quoted}`;
    return type === "VARCHAR" ? quoted : `${converted(name, type)} AS ${quoted}`;
  });
  const inner = `SELECT ${list.join(", ")} FROM ${relation} WHERE NOT coalesce(${rejects}, false)`;
  return target.condition === null ? inner : `SELECT * FROM (${inner}) WHERE ${target.condition}`;
}

function conversion(chunk: LocalChunk, name: string, type: string): string {
  const quoted = quoteIdentifier(name);
  const format = type === "DATE" ? chunk.csv?.dateFormat : chunk.csv?.timestampFormat;
  if ((type === "DATE" || type === "TIMESTAMP") && format !== undefined) {
    return `CAST(try_strptime(${quoted}, ${quoteLiteral(format)}) AS ${type})`;
  }
  return `TRY_CAST(${quoted} AS ${type})`;
}
