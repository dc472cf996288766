import { isAgnesError } from "../../base/mod.ts";
import { databaseNames, tableId, type AnalyticsTable } from "../../analytics/mod.ts";
import type { TableUse } from "../../sql/mod.ts";
import {
  duckdbTypeOf,
  openStream,
  quoteIdentifier,
  type Connection,
  type StreamSource,
  type StreamTable,
} from "../../duckdb/mod.ts";
import { filterToSql, type Filter } from "../../kit/mod.ts";
import { JobList, type LiveRequest, type LiveTable } from "../../sources/mod.ts";
import type { Opening } from "../opening.ts";
import { keysOf, type KeySource } from "./keys.ts";
import { demandForAll, demandForSchema, demandOf, type TableDemand } from "./plan.ts";
import type { PushedDown } from "./pushed-down.ts";
import { hasOwnNames, type ColumnsOf, type TypedColumn } from "./scope.ts";
import { readPositions } from "./read-positions.ts";
import type { Node } from "./tree.ts";

/** A query over live tables. */
export interface LiveQuery {
  /** The SELECT as DuckDB's tree; null if other statements run as well. */
  readonly root: Node | null;
  /** The SELECT as SQL. */
  readonly sql: string | null;
  /** Whether no rows are read. */
  readonly schemaOnly: boolean;
  /** Whether the statement reads exactly one table, once. */
  readonly isAlone: boolean;
  /** The references to tables in the statement. */
  readonly uses: readonly { readonly use: TableUse; readonly table: AnalyticsTable }[];
  /** The tables of the statement. */
  readonly tables: readonly AnalyticsTable[];
  /** The live ones among them, by id. */
  readonly live: ReadonlyMap<string, LiveTable>;
  /** The number of rows of the result that are read. */
  readonly rowsMax: number;
  /** Creates further tables in this database; null: there are none. */
  readonly load: ((database: string) => Promise<void>) | null;
  /** On whose behalf the sources are read. */
  readonly user: Opening["user"];
  /** Receives the jobs of the sources. */
  readonly onJob: Opening["onJob"] | undefined;
  readonly signal: AbortSignal;
}

/**
 * An in-memory database for one query, with the tables of the query under the names that it uses.
 *
 * Live tables are copied into it first, restricted to the part that the query needs. Then the query runs over local
 * tables only. Exception: the query of a single live table streams from its source, provided that DuckDB binds the
 * query once, because a source must not be bound again when it starts (see `refuseRebinding`).
 */
export class QueryDatabase {
  readonly name: string;
  readonly #connection: Connection;
  readonly #query: LiveQuery;
  readonly #columns = new Map<string, readonly TypedColumn[]>();
  readonly #pushed = new Map<string, PushedDown>();
  readonly #jobs = new Map<string, JobList>();
  readonly #streams: StreamTable[] = [];
  /** Whether the statement streams from its source. */
  #isDirect: boolean;

  constructor(name: string, connection: Connection, query: LiveQuery) {
    this.name = name;
    this.#connection = connection;
    this.#query = query;
    this.#isDirect = query.isAlone;
  }

  /** The requests to the connectors, by table id. */
  get pushed(): ReadonlyMap<string, PushedDown> {
    return this.#pushed;
  }

  /** The jobs of the connectors, by table id. */
  get jobs(): ReadonlyMap<string, JobList> {
    return this.#jobs;
  }

  /** Creates all tables, and makes this the current database of the connection. */
  async fill(): Promise<void> {
    const { tables, live, load, signal } = this.#query;
    await this.#connection.run(`ATTACH ':memory:' AS ${quoteIdentifier(this.name)}`);
    await load?.(this.name);
    for (const source of new Set(tables.map((table) => table.source))) {
      await this.#connection.run(`CREATE SCHEMA ${quoteIdentifier(this.name)}.${quoteIdentifier(source)}`);
    }
    for (const table of tables) {
      const known = live.get(tableId(table));
      if (known !== undefined) this.#columns.set(tableId(table), columnsOfLive(known));
      else await this.#create(table, `VIEW`, `SELECT * FROM ${published(table)}`);
    }
    const demands = await this.#demands();
    // Tables with conditions are read first, because their keys may restrict the others.
    const order = [...demands].sort(
      ([, a], [, b]) => b.filter.length - a.filter.length || a.keySources.length - b.keySources.length,
    );
    const read = new Set<string>();
    for (const [table, demand] of order) {
      await this.#open(table, demand, read, signal);
      read.add(tableId(table));
    }
    await this.#connection.run(`USE ${quoteIdentifier(this.name)}`);
    if (!this.#isDirect || (await this.#canReadDirectly())) return;
    this.close();
    this.#isDirect = false;
    for (const [table, demand] of order) {
      await this.#drop(table);
      await this.#open(table, demand, read, signal);
    }
  }

  /** Whether DuckDB binds the statement once. A statement that cannot be bound fails when it runs. */
  async #canReadDirectly(): Promise<boolean> {
    const { sql, schemaOnly, signal } = this.#query;
    if (sql === null || schemaOnly) return true;
    try {
      return await this.#connection.canReadSources(sql, { signal });
    } catch (error) {
      if (isAgnesError(error, "duckdb_failed")) return true;
      throw error;
    }
  }

  /** Closes the streams of all sources. */
  close(): void {
    for (const stream of this.#streams) stream.close();
  }

  async #demands(): Promise<readonly (readonly [AnalyticsTable, TableDemand])[]> {
    const { root, schemaOnly, tables, live, uses, rowsMax } = this.#query;
    const readAt = root === null ? new Set<number>() : readPositions(root);
    const found: [AnalyticsTable, TableDemand][] = [];
    for (const table of tables) {
      // Rows of a remote system may change before the query reads them, so they cannot provide keys.
      if (live.has(tableId(table)) || table.accessMode === "remote") continue;
      this.#columns.set(tableId(table), await this.#connection.describe(`FROM ${published(table)}`));
    }
    for (const table of tables) {
      const columns = this.#columns.get(tableId(table));
      if (columns === undefined || !live.has(tableId(table))) continue;
      if (root === null) {
        found.push([table, schemaOnly ? demandForSchema(columns) : demandForAll(columns)]);
        continue;
      }
      const all = uses.filter((one) => one.table === table).map(({ use }) => use.position);
      const positions = all.filter((position) => position === null || readAt.has(position));
      if (positions.length === 0) {
        found.push([table, demandForSchema(columns)]);
        continue;
      }
      const place = { positions, columns, isDescribed: positions.length < all.length };
      found.push([table, await demandOf(this.#connection, root, place, this.#columnsOf, rowsMax)]);
    }
    return found;
  }

  readonly #columnsOf: ColumnsOf = ({ node }) => {
    if (hasOwnNames(node)) return null;
    const table = this.#tableAt(Number(node["query_location"]));
    return table === null ? null : (this.#columns.get(tableId(table)) ?? null);
  };

  #tableAt(position: number): AnalyticsTable | null {
    return this.#query.uses.find(({ use }) => use.position === position)?.table ?? null;
  }

  async #open(
    table: AnalyticsTable,
    demand: TableDemand,
    read: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<void> {
    const id = tableId(table);
    const live = this.#query.live.get(id)!;
    const keys: Filter[] = [];
    for (const source of demand.keySources) {
      const key = await this.#keys(source, read, signal);
      if (key !== null) keys.push(key);
    }
    const request = await live.narrow({
      columns: demand.columns,
      filter: [...demand.filter, ...keys],
      ...(demand.limit === null ? {} : { limit: demand.limit }),
    });
    const isEmpty =
      demand.isSchemaOnly ||
      request.filter.some(({ operator, values }) => operator === "eq" && values.length === 0);
    const pushed = { ...(demand.isSchemaOnly ? NOTHING : pushedOf(request, keys)), rows: 0 };
    this.#pushed.set(id, pushed);
    const jobs = this.#jobs.get(id) ?? new JobList();
    this.#jobs.set(id, jobs);
    const { user, onJob: onQueryJob } = this.#query;
    const onJob: typeof jobs.onJob = (job) => {
      jobs.onJob(job);
      onQueryJob?.(job);
    };
    const source: StreamSource = {
      schema: live.schema,
      ...(live.rows === undefined ? {} : { rows: live.rows }),
      async *open(columns, stop) {
        if (!demand.isSchemaOnly) Object.assign(pushed, { columns });
        if (isEmpty) return;
        for await (const batch of live.open({ ...request, columns }, stop, { user, onJob })) {
          pushed.rows += batch.numRows;
          yield batch;
        }
      },
    };
    const stream = openStream(this.#connection, source);
    if (this.#isDirect) {
      this.#streams.push(stream);
      const { plannedRelation, relation } = stream;
      const from = this.#query.schemaOnly ? plannedRelation : relation;
      return this.#create(table, "VIEW", `SELECT * FROM ${from}`);
    }
    try {
      const list = request.columns.map(quoteIdentifier).join(", ") || "true AS row";
      await this.#create(table, "TABLE", `SELECT ${list} FROM ${stream.relation}`);
    } finally {
      stream.close();
    }
  }

  /** Returns the values that restrict a column, if their table has been read already. */
  async #keys(source: KeySource, read: ReadonlySet<string>, signal: AbortSignal): Promise<Filter | null> {
    const table = this.#tableAt(Number(source.from.node["query_location"]));
    if (table === null) return null;
    if (this.#query.live.has(tableId(table)) && !read.has(tableId(table))) return null;
    return keysOf(this.#connection, source, this.#nameOf(table), this.#columnsOf, signal);
  }

  #nameOf({ source, name }: AnalyticsTable): string {
    return [this.name, source, name].map(quoteIdentifier).join(".");
  }

  async #create(table: AnalyticsTable, kind: "TABLE" | "VIEW", select: string): Promise<void> {
    const own = this.#nameOf(table);
    const { signal } = this.#query;
    await this.#connection.run(`CREATE ${kind} ${own} AS ${select}`, { signal });
    if (table.viewName === null) return;
    await this.#connection.run(`CREATE VIEW ${this.#viewOf(table.viewName)} AS SELECT * FROM ${own}`);
  }

  /** Drops the views of a table. */
  async #drop(table: AnalyticsTable): Promise<void> {
    if (table.viewName !== null) await this.#connection.run(`DROP VIEW ${this.#viewOf(table.viewName)}`);
    await this.#connection.run(`DROP VIEW ${this.#nameOf(table)}`);
  }

  #viewOf(name: string): string {
    return [this.name, "main", name].map(quoteIdentifier).join(".");
  }
}

/** Returns the qualified name of a published table. */
function published({ source, name }: AnalyticsTable): string {
  return [databaseNames.analytics, source, name].map(quoteIdentifier).join(".");
}

function columnsOfLive({ schema }: LiveTable): readonly TypedColumn[] {
  return schema.fields.map((field) => ({ name: field.name, type: duckdbTypeOf(field) }));
}

/** The request if only the column names and types are needed. */
const NOTHING: Omit<PushedDown, "rows"> = { columns: [], conditions: [], keys: [], limit: 0 };

function pushedOf(
  { columns, filter, limit }: LiveRequest,
  keys: readonly Filter[],
): Omit<PushedDown, "rows"> {
  const isKey = (one: Filter) => keys.includes(one);
  return {
    columns,
    conditions: filter.filter((one) => !isKey(one)).map((one) => filterToSql([one])),
    keys: filter.filter(isKey).map(({ column, values }) => ({ column, values: values.length })),
    limit: limit ?? null,
  };
}
