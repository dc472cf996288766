import { isAgnesError, messageOf, throwIfAborted, type Log } from "../../base/mod.ts";
import { tableId } from "../../analytics/mod.ts";
import { openStream } from "../../duckdb/mod.ts";
import type { SourceStatement } from "../../kit/mod.ts";
import type { LivePlace, LiveStatement } from "../live/prepare-live.ts";
import { JobList, type WholeQueries } from "../../sources/mod.ts";
import { bindLocally } from "./bind.ts";
import { NotListed, notListed } from "./not-listed.ts";
import { isReturnedAsText, localSql, resultSchema } from "./result.ts";
import type { Shipped } from "./select.ts";
import { translateStatement } from "./shipping.ts";
import { isWorthShipping } from "./worth.ts";

/** The whole statement that ran in a source. */
export interface ShippedStatement {
  /** The statement in the SQL of the source. */
  readonly sql: string;
  /** The number of rows that the source has returned so far. */
  readonly rows: number;
}

/** A statement that runs in the source of its tables. */
export interface ShippedQuery {
  /** The local statement over the rows of the source. */
  readonly sql: string;
  readonly statement: ShippedStatement;
  /** The jobs of the source. */
  readonly jobs: JobList;
  /** Closes the stream of rows. */
  close(): void;
}

/**
 * Runs a statement in the source of its tables, if all of them are live tables of one source, all its constructs are on the list,
 * and the source returns fewer rows for it than for its tables. Otherwise returns null, and the tables are read as usual; also if
 * the source rejects the statement, such as one that reads more than its limit.
 */
export async function shipStatement(
  place: LivePlace,
  statement: LiveStatement,
  log: Log,
): Promise<ShippedQuery | null> {
  const sql = statement.sql ?? statement.explained ?? null;
  const whole = sourceOf(place);
  if (sql === null || whole === null) return null;
  const { user, signal, rowsMax, onJob: onQueryJob, schemaOnly = false } = statement;
  const jobs = new JobList();
  const onJob: typeof jobs.onJob = (job) => {
    jobs.onJob(job);
    onQueryJob?.(job);
  };
  try {
    const shipped = await translateStatement(place, sql, rowsMax);
    if (!isWorthShipping(shipped.statement)) return null;
    const bound = await bindLocally(place, sql, signal);
    checkTypes(shipped, bound);
    const wanted = withTexts(shipped.statement);
    const text =
      (await whole.toSql(wanted, signal)) ?? notListed("a part that the source does not translate");
    const types = wanted.columns.map(({ expression }) => expression.type);
    const schema = resultSchema(types);
    const rows = schemaOnly ? null : await whole.run(text, schema, signal, { user, onJob });
    const ran = { sql: text, rows: 0 };
    const stream = openStream(place.connection, {
      schema,
      async *open() {
        for await (const batch of rows ?? []) {
          ran.rows += batch.numRows;
          yield batch;
        }
      },
    });
    const order = shipped.order.map((key) => ({ ...key, type: types[key.column]! }));
    const relation = schemaOnly ? stream.plannedRelation : stream.relation;
    return { sql: localSql(relation, bound, order), statement: ran, jobs, close: () => stream.close() };
  } catch (error) {
    throwIfAborted(signal, "the query");
    if (!(error instanceof NotListed) && !isAgnesError(error)) throw error;
    const details = { source: place.tables[0]!.source, reason: messageOf(error) };
    // A job that failed may be billed.
    if (error instanceof NotListed)
      log.debug("a query is not run as a whole in the source of its tables", details);
    else
      log.warn(
        "a query failed as a whole in the source of its tables, which are now read one by one",
        details,
      );
    return null;
  }
}

/** Returns the only source of all tables, if it runs whole queries. */
function sourceOf({ tables, live, load }: LivePlace): WholeQueries | null {
  const [first] = tables;
  if (first === undefined || load !== null) return null;
  const all = tables.map((table) => live.get(tableId(table))?.whole);
  const isOne = tables.every(({ source }) => source === first.source) && !all.includes(undefined);
  return isOne ? all[0]! : null;
}

/** @throws NotListed if a type of the local result would differ */
function checkTypes({ columns }: Shipped, bound: readonly { readonly type: string }[]): void {
  const isSame = columns.length === bound.length && columns.every(({ type }, at) => type === bound[at]!.type);
  if (!isSame) notListed("a result whose types differ");
}

function withTexts(statement: SourceStatement): SourceStatement {
  const columns = statement.columns.map(({ expression }) => ({
    expression,
    isText: isReturnedAsText(expression.type),
  }));
  return { ...statement, columns };
}
