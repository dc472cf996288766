import { AgnesError, isAgnesError, reasonOf } from "../../../base/mod.ts";
import type { Connection } from "../../connection.ts";

/** A column of a Parquet file that is to be tried alone. */
export interface TriedColumn {
  readonly name: string;
  /** The SQL of its value. */
  readonly value: string;
}

/**
 * The error about a Parquet file of which DuckDB cannot read a value, with the column as far as reading each alone tells.
 *
 * @param relation the file, for use after `FROM`
 * @param file what errors call it
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
  const told = reasonOf(error).replace(/ in Parquet file "[^"]*"/, "");
  const failure = (reason: string, advice: string) =>
    new AgnesError("file_unreadable", { path: file, reason, advice }, { cause: error });
  for (const column of columns) {
    if (!(await fails([column]))) continue;
    // Some values fail by the statistics of their column, whoever reads it.
    const others = columns.filter((other) => other !== column);
    const canLeaveOut = others.length > 0 && !(await fails(others));
    return failure(
      `a value of column ${JSON.stringify(column.name)}: ${told}`,
      canLeaveOut
        ? `${REWRITE}, or leave the column out: \`agnes table update ID --columns ${listed(others)}\`.`
        : `${REWRITE}.`,
    );
  }
  return failure(told, `${REWRITE}.`);
}

const REWRITE = "Write the file again without that value";

/** The columns as the command takes them, which has no way to name one with a comma. */
function listed(columns: readonly TriedColumn[]): string {
  const list = columns.map(({ name }) => name).join(",");
  if (columns.length > LISTED_MAX || columns.some(({ name }) => /[,\s'`]/.test(name))) return "NAMES";
  return /^[\w.,-]+$/.test(list) ? list : `'${list}'`;
}

const LISTED_MAX = 20;

/** A reason without what differs from value to value. */
const plain = (reason: string) => reason.replace(/"[^"]*"|\d+/g, "…");
