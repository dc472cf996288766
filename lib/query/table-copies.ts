import { messageOf, withTimeout, type Log } from "../base/mod.ts";
import { databaseNames, tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { quoteIdentifier, type Connection } from "../duckdb/mod.ts";

/** The use from which a table is copied: a copy takes as long as it saves in about ten queries. */
const USES_MIN = 8;

const ROWS_MAX = 20_000;

/** The most bytes of one copy, and of all copies of an instance. */
const BYTES_MAX = 2 << 20;
const TOTAL_BYTES_MAX = 8 << 20;

/** The longest time of a copy: the session starts no other query while it waits for the connection. */
const COPY_MS_MAX = 1000;

/** The bytes of a value besides its text. */
const VALUE_BYTES = 16;

const TEXT_TYPES = new Set(["VARCHAR", "JSON"]);

/** The types of the columns whose size is known. */
const SMALL_TYPE =
  /^(?:BOOLEAN|U?(?:TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(.*\)|DATE|TIME.*|INTERVAL|UUID)$/;

/** The schema of the tables. Queries read them through views, which have the columns of the published views only. */
const ROWS_SCHEMA = "agnes:rows";

/**
 * Copies of small tables, in the memory of an instance, with the names of the published views. DuckDB binds a kept statement over
 * files again at each run, which takes longer than the rest of a small query; it does not over a copy.
 */
export class TableCopies {
  readonly #connection: Connection;
  readonly #log: Log;
  readonly #uses = new Map<string, number>();
  readonly #copied = new Set<string>();
  #bytes = 0;

  constructor(connection: Connection, log: Log) {
    this.#connection = connection;
    this.#log = log;
  }

  /** Whether a query can read the copy of a table. */
  has(table: AnalyticsTable): boolean {
    return this.#copied.has(tableId(table));
  }

  /**
   * Copies a table whose query has ended, if it was queried often. A table that cannot be copied is read from its files.
   * @param check rejects if its files are not safe to read: they may have been replaced since the check of the query
   */
  async used(table: AnalyticsTable, check: () => Promise<void>): Promise<void> {
    const id = tableId(table);
    if (this.#copied.has(id) || !isCopyable(table)) return;
    const uses = (this.#uses.get(id) ?? 0) + 1;
    this.#uses.set(id, uses);
    if (uses !== USES_MIN) return;
    try {
      await check();
      using limit = withTimeout(`copying the table ${id}`, COPY_MS_MAX);
      await this.#copy(table, limit.signal);
    } catch (error) {
      this.#log.debug("a table could not be copied", { table: id, reason: messageOf(error) });
    }
  }

  async #copy(table: AnalyticsTable, signal: AbortSignal): Promise<void> {
    const sizeBytes = await sizeOf(this.#connection, table, signal);
    if (sizeBytes > BYTES_MAX || this.#bytes + sizeBytes > TOTAL_BYTES_MAX) return;
    this.#bytes += sizeBytes;
    const { source, name, viewName, definition } = table;
    const [rows, view] = [placeOf(ROWS_SCHEMA, tableId(table)), placeOf(source, name)];
    const named =
      viewName === null ? "" : `CREATE VIEW ${placeOf("main", viewName)} AS SELECT * FROM ${view};`;
    await this.#connection.run(
      `CREATE SCHEMA IF NOT EXISTS ${placeOf(ROWS_SCHEMA)};
       CREATE SCHEMA IF NOT EXISTS ${placeOf(source)};
       CREATE TABLE ${rows} AS ${definition};
       CREATE VIEW ${view} AS SELECT * FROM ${rows};
       ${named}`,
      { signal },
    );
    this.#copied.add(tableId(table));
  }
}

/**
 * Whether a table may be copied: it is small as far as is known, and has one file of Agnes, which does not change. DuckDB reads
 * several files in other pieces than their copy, and the order of equal rows after a sort depends on the pieces.
 */
function isCopyable({ accessMode, definition, generation, rows, sizeBytes }: AnalyticsTable): boolean {
  const isSmall = rows !== null && rows <= ROWS_MAX && (sizeBytes ?? 0) <= BYTES_MAX;
  return isSmall && accessMode === "file" && generation !== null && ONE_FILE.test(definition);
}

/**
 * A view that Agnes writes over one file: columns, and no calls. The file of another program may have the tables of an extract
 * of Agnes, and views with changing values or without an end.
 */
const ONE_FILE =
  /^SELECT (?:(?:\w+|"(?:[^"]|"")*")(?:, | (?=FROM )))+FROM read_parquet\((?:main\.)?list_value\('(?:[^'*?[]|'')*\.parquet'\)\)$/;

/** Estimates the bytes of a copy; Infinity: it has a type of unknown size. A small file may contain many long texts. */
async function sizeOf(
  connection: Connection,
  { definition }: AnalyticsTable,
  signal: AbortSignal,
): Promise<number> {
  const columns = await connection.describe(definition, { signal });
  if (columns.some(({ type }) => !TEXT_TYPES.has(type) && !SMALL_TYPE.test(type))) return Infinity;
  const texts = columns.filter(({ type }) => TEXT_TYPES.has(type));
  const sizes = texts.map(({ name }) => `coalesce(sum(strlen(${quoteIdentifier(name)})), 0)`);
  const values = `count(*) * ${columns.length * VALUE_BYTES}`;
  const [size] = await connection.rows<{ bytes: number }>(
    `SELECT (${[values, ...sizes].join(" + ")})::DOUBLE AS bytes FROM (${definition}\n)`,
    { signal },
  );
  return size!.bytes;
}

function placeOf(...names: readonly string[]): string {
  return [databaseNames.copies, ...names].map(quoteIdentifier).join(".");
}
