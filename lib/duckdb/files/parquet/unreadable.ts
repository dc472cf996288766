import { AgnesError, isAgnesError, reasonOf } from "../../../base/mod.ts";
import type { Connection } from "../../connection.ts";

/** A column of a Parquet file to read separately. */
export interface TriedColumn {
  readonly name: string;
  /** The SQL of its value. */
  readonly value: string;
}

/**
 * The error for a Parquet file with a value that DuckDB cannot read. It names the column if reading each column separately
 * finds it.
 *
 * @param relation the SQL of the file, for use after `FROM`
 * @param file the name of the file in errors
 */
export async function unreadableValue(
  connection: Connection,
  error: AgnesError,
  { relation, file, columns }: { relation: string; file: string; columns: readonly TriedColumn[] },
  options: { readonly signal?: AbortSignal },
): Promise<AgnesError> {
  const isWhy = plain(reasonOf(error));
  const fails = async (tried: readonly TriedColumn[]) => {
    const values = tried.map(({ value }, at) => `${value} AS v${at}`);
    const uses = tried.map((_, at) => `max(hash(v${at})), max(length(CAST(v${at} AS VARCHAR)))`);
    try {
      await connection.rows(
        `SELECT ${uses.join(", ")} FROM (SELECT ${values.join(", ")} FROM ${relation})`,
        options,
      );
      return false;
    } catch (other) {
      if (!isAgnesError(other)) throw other;
      return plain(reasonOf(other)) === isWhy;
    }
  };
  const reported = reasonOf(error).replace(/ in Parquet file "[^"]*"/, "");
  const failure = (reason: string, otherColumns: string | null) =>
    new AgnesError("file_unreadable", { path: file, reason, otherColumns }, { cause: error });
  for (const column of columns) {
    if (!(await fails([column]))) continue;
    // Some values fail by the statistics of their column, regardless of the columns that are read.
    const others = columns.filter((other) => other !== column);
    const canLeaveOut = others.length > 0 && !(await fails(others));
    return failure(
      `a value of column ${JSON.stringify(column.name)}: ${reported}`,
      canLeaveOut ? listed(others) : null,
    );
  }
  return failure(reported, null);
}

/** The columns as an argument of the command, which does not support names with commas. */
function listed(columns: readonly TriedColumn[]): string {
  const list = columns.map(({ name }) => name).join(",");
  if (columns.length > LISTED_MAX || columns.some(({ name }) => /[,\s'`]/.test(name))) return "NAMES";
  return /^[\w.,-]+$/.test(list) ? list : `'${list}'`;
}

const LISTED_MAX = 20;

/** Removes the parts of a reason that differ between values. */
const plain = (reason: string) => reason.replace(/"[^"]*"|\d+/g, "…");
