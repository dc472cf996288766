import { AgnesError, quoteIdentifier } from "agnes/kit";

import type { Datasets } from "./datasets.ts";
import { partitionColumnOf, requiresFilter } from "./describe.ts";
import type { DryRun } from "./estimate.ts";
import type { TablePath } from "./names.ts";
import { timePartitioningOf, wholeCondition } from "./partitions.ts";
import { namesItsTables } from "./referenced-tables.ts";
import type { BigQueryTable } from "./schemas.ts";

/** Tables whose rows BigQuery stores. Clones are of type TABLE. */
const STORED: ReadonlySet<string> = new Set(["TABLE", "SNAPSHOT", "MATERIALIZED_VIEW"]);

/** A string, in which nothing is the name of a table. */
const STRING = /'(?:[^'\\]|\\.)*'/gs;

/** How the tables of a query are examined; both requests are free. */
interface ZeroServices {
  readonly datasets: Pick<Datasets, "get">;
  /** Estimates another query in the same location. */
  readonly estimate: (sql: string) => Promise<DryRun>;
  readonly signal: AbortSignal;
}

/**
 * Returns why an estimate of 0 bytes is unknown; undefined if the query bills nothing.
 *
 * It bills nothing if its result is in the cache, if it reads no table, and over stored tables if no row is read: of an empty
 * table, of partitions without rows, for `count(*)`. For external data a dry run may report 0 bytes, because they are known only
 * when the query has run, and are then billed: "Limitations" of https://cloud.google.com/bigquery/docs/external-tables. A row
 * access policy hides the bytes of a stored table. Then an estimate of all its rows is also 0, although it has rows.
 */
export async function zeroProblem(
  { isCached, hasAllTables, references }: DryRun,
  sql: string,
  services: ZeroServices,
): Promise<string | undefined> {
  if (isCached) return undefined;
  // Access does not depend on it, so a text that only looks like a string does no harm.
  if (!hasAllTables || !namesItsTables(sql.replaceAll(STRING, "''")))
    return "the dry run reports 0 bytes, and may not list all tables that the query reads";
  const problems = await Promise.all(references.map((path) => tableProblem(path, services)));
  const isOnlyViews = problems.length > 0 && problems.every((problem) => problem === VIEW);
  if (isOnlyViews) return "the dry run reports 0 bytes, and lists no table that the view reads";
  return problems.find((problem) => problem !== VIEW && problem !== undefined) as string | undefined;
}

/** A view, whose tables are also listed. */
const VIEW = Symbol("view");

/** Why 0 bytes of a table are unknown; undefined if they are not. */
async function tableProblem(
  path: TablePath,
  { datasets, estimate, signal }: ZeroServices,
): Promise<string | typeof VIEW | undefined> {
  const name = `table ${path.dataset}.${path.table}`;
  try {
    const table = path.table.endsWith("*") ? null : await datasets.get(path, signal);
    if (table?.type === "VIEW") return VIEW;
    if (table !== null && !STORED.has(table.type))
      return `the dry run reports 0 bytes, and the bytes of ${name} are external`;
    if (table !== null && isEmpty(table)) return undefined;
    const { scannedBytes, isCached } = await estimate(allRows(path, table));
    if (isCached || (scannedBytes ?? 0) > 0) return undefined;
    return `the dry run reports 0 bytes, also for all rows of ${name}, which a row access policy may hide`;
  } catch (error) {
    if (signal.aborted || !(error instanceof AgnesError)) throw error;
    return `the dry run reports 0 bytes, and ${name} cannot be examined: ${error.message}`;
  }
}

/** Rows in a streaming buffer may come on top; they are few, and BigQuery stops their job at the limit. */
const isEmpty = ({ type, numBytes }: BigQueryTable): boolean =>
  type !== "MATERIALIZED_VIEW" && numBytes === 0;

/** The SELECT of all rows of a table; null: of several tables. Columns with a policy tag may not be accessible. */
function allRows({ project, dataset, table }: TablePath, described: BigQueryTable | null): string {
  const quoted = (text: string) => quoteIdentifier(text, "bigquery");
  const from = [project, dataset, table].map(quoted).join(".");
  if (described === null) return `SELECT * FROM ${from}`;
  const columns = described.schema.fields.filter(({ policyTags }) => policyTags === undefined);
  const list = columns.length === 0 ? "*" : columns.map(({ name }) => quoted(name)).join(", ");
  const partitioning = timePartitioningOf(described);
  const isConditional = requiresFilter(described) && partitionColumnOf(described) !== undefined;
  const where = isConditional && partitioning !== null ? ` WHERE ${wholeCondition(partitioning)}` : "";
  return `SELECT ${list} FROM ${from}${where}`;
}
