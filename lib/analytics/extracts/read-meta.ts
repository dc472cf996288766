import { AgnesError, counted, formatValue } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import type { Issue } from "../model.ts";
import type { ObjectTable } from "./objects.ts";

/** One row of `_meta`; null: unknown. */
export interface MetaRow {
  readonly tableName: string;
  readonly description: string | null;
  readonly rows: number | null;
  readonly sizeBytes: number | null;
  /** ISO 8601, UTC. */
  readonly extractedAt: string | null;
  readonly mode: string;
}

/** The rows of `_meta`, oldest first, and an issue for each invalid value. */
export interface MetaRows {
  readonly rows: readonly MetaRow[];
  readonly issues: readonly Issue[];
}

/** The maximum number of tables in an extract. */
const TABLES_MAX = 100_000;
/** The maximum length of a description; longer ones are truncated and reported. */
const DESCRIPTION_LENGTH_MAX = 10_000;
/** Longer than any valid name or mode. */
const NAME_LENGTH_MAX = 200;

/** An alias that differs from all columns of `_meta`. */
const TIME = '"agnes:time"';

type Kind = "text" | "whole" | "time";

const KINDS: Readonly<Record<Kind, RegExp>> = {
  text: /^(?:VARCHAR|ENUM\()/,
  whole: /^U?(?:TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/,
  time: /^(?:DATE|TIMESTAMP)/,
};

/**
 * Reads `_meta`. All columns except `table_name` are optional.
 *
 * @throws `extract_refused` if it is not a table of stored columns with a text column `table_name`
 */
export async function readMeta(
  connection: Connection,
  { source, path, from }: MetaPlace,
  table: ObjectTable | undefined,
  signal: AbortSignal,
): Promise<MetaRows> {
  if (table === undefined) throw refused(path, "it has no table _meta");
  if (table.mayCompute) throw refused(path, "its _meta has generated columns");
  const issues: Issue[] = [];
  const note = (reason: string) => void issues.push({ kind: "skipped", name: source, reason });
  const column = (name: string, kind: Kind): string | null => {
    const found = table.columns.find((one) => one.name.toLowerCase() === name);
    if (found === undefined) return null;
    if (KINDS[kind].test(found.type)) return quoteIdentifier(found.name);
    note(`the column ${name} of _meta has the type ${formatValue(found.type)} and is ignored`);
    return null;
  };
  const name = column("table_name", "text");
  if (name === null) throw refused(path, issues[0]?.reason ?? "its _meta lacks the column table_name");
  const time = column("extracted_at", "time");
  const text = (expression: string | null, length: number) =>
    expression === null ? "NULL" : `left(${expression}::VARCHAR, ${length})`;
  const at = time === null ? "NULL::TIMESTAMP" : `TRY_CAST(${time} AS TIMESTAMP)`;
  const found = await connection.rows<RawRow>(
    `SELECT ${text(name, NAME_LENGTH_MAX)} AS name,
       ${text(column("description", "text"), DESCRIPTION_LENGTH_MAX + 1)} AS description,
       ${text(column("rows", "whole"), NAME_LENGTH_MAX)} AS rows,
       ${text(column("size_bytes", "whole"), NAME_LENGTH_MAX)} AS size,
       ${text(column("query_mode", "text"), NAME_LENGTH_MAX)} AS mode,
       ${time ?? "NULL"} IS NOT NULL AS dated,
       CASE WHEN isfinite(${TIME}) AND year(${TIME}) BETWEEN 1 AND 9999
         THEN strftime(${TIME}, '%Y-%m-%dT%H:%M:%S.%gZ') END AS moment
     FROM (SELECT *, ${at} AS ${TIME} FROM ${from}) ORDER BY ${TIME} NULLS FIRST LIMIT ${TABLES_MAX + 1}`,
    { signal },
  );
  if (found.length > TABLES_MAX) throw refused(path, `its _meta lists more than ${TABLES_MAX} tables`);
  const named = found.filter((row) => row.name !== null);
  if (named.length < found.length)
    note(`_meta has ${counted(found.length - named.length, "row")} without a table_name`);
  return { rows: named.map((row) => metaRow(source, row, issues)), issues };
}

/** The place of `_meta`. */
interface MetaPlace {
  readonly source: string;
  /** The extract's file, for errors. */
  readonly path: string;
  /** The quoted name of the table. */
  readonly from: string;
}

interface RawRow {
  readonly name: string | null;
  readonly description: string | null;
  readonly rows: string | null;
  readonly size: string | null;
  readonly mode: string | null;
  readonly dated: boolean;
  readonly moment: string | null;
}

function metaRow(source: string, row: RawRow, issues: Issue[]): MetaRow {
  const tableName = row.name!;
  const note = (reason: string) =>
    void issues.push({ kind: "skipped", name: nameOf(source, tableName), reason });
  const count = (column: string, value: string | null) => {
    if (value === null || (/^\d+$/.test(value) && Number(value) <= Number.MAX_SAFE_INTEGER))
      return value === null ? null : Number(value);
    note(
      `${column} in _meta is ${formatValue(value)}, which is not a count; the value is treated as unknown`,
    );
    return null;
  };
  if (row.dated && row.moment === null)
    note("extracted_at in _meta is not a usable timestamp; the value is treated as unknown");
  const isLong = (row.description?.length ?? 0) > DESCRIPTION_LENGTH_MAX;
  if (isLong) note(`its description is truncated to ${DESCRIPTION_LENGTH_MAX} characters`);
  return {
    tableName,
    description: isLong ? row.description!.slice(0, DESCRIPTION_LENGTH_MAX) : row.description,
    rows: count("rows", row.rows),
    sizeBytes: count("size_bytes", row.size),
    extractedAt: row.moment,
    mode: row.mode ?? "local",
  };
}

/** Formats the id of a table, whose name may be invalid, for the report. */
export function nameOf(source: string, tableName: string): string {
  return /^[\w.-]{1,64}$/.test(tableName) ? `${source}.${tableName}` : `${source}.${formatValue(tableName)}`;
}

function refused(path: string, reason: string): AgnesError {
  return new AgnesError("extract_refused", { path, reason });
}
