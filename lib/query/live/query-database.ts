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
import type { LiveRequest, LiveTable } from "../../sources/mod.ts";
import { keysOf, type KeySource } from "./keys.ts";
import { demandForAll, demandForSchema, demandOf, type TableDemand } from "./plan.ts";
import type { PushedDown } from "./pushed-down.ts";
import { hasOwnNames, type ColumnsOf, type TypedColumn } from "./scope.ts";
import { readPositions } from "./read-positions.ts";
import type { Node } from "./tree.ts";

/** What is wanted of one query's database. */
export interface LiveQuery {
  /** The SELECT as DuckDB's tree; null when its text is not all that is run. */
  readonly root: Node | null;
  /** The same as text. */
  readonly sql: string | null;
  /** Whether no row of any table is read. */
  readonly schemaOnly: boolean;
  /** Whether the statement reads but one table, once, and nothing else. */
  readonly isAlone: boolean;
  /** Where it names which table. */
  readonly uses: readonly { readonly use: TableUse; readonly table: AnalyticsTable }[];
  /** The tables that it names. */
  readonly tables: readonly AnalyticsTable[];
  /** Those of them that are live, by id. */
  readonly live: ReadonlyMap<string, LiveTable>;
  /** How many rows of the answer are read. */
  readonly rowsMax: number;
  readonly signal: AbortSignal;
}

/**
 * A database of one query's own, in memory, which shows the tables that the query names under the names that it uses.
 *
 * What is live is read into it first, with what the query wants of each; then the query runs over tables alone. Only the
 * query of a single live table reads its source while it runs, if DuckDB binds it once: nothing may bind a source again
 * when it starts (see `refuseRebinding`).
 */
export class QueryDatabase {
  readonly name: string;
  readonly #connection: Connection;
  readonly #query: LiveQuery;
  readonly #columns = new Map<string, readonly TypedColumn[]>();
  readonly #pushed = new Map<string, PushedDown>();
  readonly #streams: StreamTable[] = [];
  /** Whether the statement reads its source while it runs. */
  #isDirect: boolean;

  constructor(name: string, connection: Connection, query: LiveQuery) {
    this.name = name;
    this.#connection = connection;
    this.#query = query;
    this.#isDirect = query.isAlone;
  }

  /** What the connectors were asked for, by the id of the table. */
  get pushed(): ReadonlyMap<string, PushedDown> {
    return this.#pushed;
  }

  /** Shows all tables, and makes the database the one in which the connection looks for names. */
  async fill(): Promise<void> {
    const { tables, live, signal } = this.#query;
    await this.#connection.run(`ATTACH ':memory:' AS ${quoteIdentifier(this.name)}`);
    for (const source of new Set(tables.map((table) => table.source))) {
      await this.#connection.run(`CREATE SCHEMA ${quoteIdentifier(this.name)}.${quoteIdentifier(source)}`);
    }
    for (const table of tables) {
      const known = live.get(tableId(table));
      if (known !== undefined) this.#columns.set(tableId(table), columnsOfLive(known));
      else await this.#show(table, `VIEW`, `SELECT * FROM ${published(table)}`);
    }
    const shown = await this.#demands();
    // What has conditions of its own is read first, for its keys may limit the others.
    const order = [...shown].sort(
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
      await this.#hide(table);
      await this.#open(table, demand, read, signal);
    }
  }

  /** Whether DuckDB binds the statement once. One that it does not bind at all fails when it is run. */
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

  /** The sources cannot be read any more. */
  close(): void {
    for (const stream of this.#streams) stream.close();
  }

  async #demands(): Promise<readonly (readonly [AnalyticsTable, TableDemand])[]> {
    const { root, schemaOnly, tables, live, uses, rowsMax } = this.#query;
    const readAt = root === null ? new Set<number>() : readPositions(root);
    const found: [AnalyticsTable, TableDemand][] = [];
    for (const table of tables) {
      // What another system holds may change until the query itself reads it, so no keys are taken from there.
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
    const asked = live.narrow({
      columns: demand.columns,
      filter: [...demand.filter, ...keys],
      ...(demand.limit === null ? {} : { limit: demand.limit }),
    });
    const isEmpty =
      demand.isSchemaOnly ||
      asked.filter.some(({ operator, values }) => operator === "eq" && values.length === 0);
    const pushed = { ...(demand.isSchemaOnly ? NOTHING : pushedOf(asked, keys)), rows: 0 };
    this.#pushed.set(id, pushed);
    const source: StreamSource = {
      schema: live.schema,
      ...(live.rows === undefined ? {} : { rows: live.rows }),
      async *open(columns, stop) {
        if (!demand.isSchemaOnly) Object.assign(pushed, { columns });
        if (isEmpty) return;
        for await (const batch of live.open({ ...asked, columns }, stop)) {
          pushed.rows += batch.numRows;
          yield batch;
        }
      },
    };
    const stream = openStream(this.#connection, source);
    if (this.#isDirect) {
      this.#streams.push(stream);
      const { plannedRelation, relation } = stream;
      const shown = this.#query.schemaOnly ? plannedRelation : relation;
      return this.#show(table, "VIEW", `SELECT * FROM ${shown}`);
    }
    try {
      const list = asked.columns.map(quoteIdentifier).join(", ") || "true AS row";
      await this.#show(table, "TABLE", `SELECT ${list} FROM ${stream.relation}`);
    } finally {
      stream.close();
    }
  }

  /** The wanted values of a column, if the table that has them can be read by now. */
  async #keys(source: KeySource, read: ReadonlySet<string>, signal: AbortSignal): Promise<Filter | null> {
    const table = this.#tableAt(Number(source.from.node["query_location"]));
    if (table === null) return null;
    if (this.#query.live.has(tableId(table)) && !read.has(tableId(table))) return null;
    return keysOf(this.#connection, source, this.#nameOf(table), this.#columnsOf, signal);
  }

  #nameOf({ source, name }: AnalyticsTable): string {
    return [this.name, source, name].map(quoteIdentifier).join(".");
  }

  async #show(table: AnalyticsTable, kind: "TABLE" | "VIEW", select: string): Promise<void> {
    const own = this.#nameOf(table);
    const { signal } = this.#query;
    await this.#connection.run(`CREATE ${kind} ${own} AS ${select}`, { signal });
    if (table.viewName === null) return;
    await this.#connection.run(`CREATE VIEW ${this.#viewOf(table.viewName)} AS SELECT * FROM ${own}`);
  }

  /** Takes the views of a table away. */
  async #hide(table: AnalyticsTable): Promise<void> {
    if (table.viewName !== null) await this.#connection.run(`DROP VIEW ${this.#viewOf(table.viewName)}`);
    await this.#connection.run(`DROP VIEW ${this.#nameOf(table)}`);
  }

  #viewOf(name: string): string {
    return [this.name, "main", name].map(quoteIdentifier).join(".");
  }
}

/** Where a table stands that is not live. */
function published({ source, name }: AnalyticsTable): string {
  return [databaseNames.analytics, source, name].map(quoteIdentifier).join(".");
}

function columnsOfLive({ schema }: LiveTable): readonly TypedColumn[] {
  return schema.fields.map((field) => ({ name: field.name, type: duckdbTypeOf(field) }));
}

/** What is asked of a connector when only the columns of its table matter. */
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
