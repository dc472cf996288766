import { arrow, type QueryArray } from "agnes/kit";

import { openDatabase, type Connection } from "../../../lib/duckdb/mod.ts";
import { columnType, resultType, toDuckDB } from "./sql.ts";
import type { FakeCell, FakeField, FakeResult, FakeTable, QueryParameter } from "./types.ts";

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** The rows of the fake's tables, in DuckDB. */
export class Rows {
  readonly #opened: Promise<{ readonly connection: Connection; readonly close: () => Promise<void> }>;
  readonly tables: readonly FakeTable[];
  readonly #project: string;

  constructor(project: string, tables: readonly FakeTable[]) {
    this.#project = project;
    this.tables = tables;
    this.#opened = this.#open();
  }

  async close(): Promise<void> {
    await (await this.#opened).close();
  }

  /** Runs a SELECT; the columns of its result have the types of the tables they come from. */
  async run(sql: string, parameters: readonly QueryParameter[]): Promise<FakeResult> {
    const { connection } = await this.#opened;
    const projects = this.tables.flatMap(({ project }) => project ?? []);
    const plain = projects.reduce(
      (text, one) => text.replaceAll(`\`${one}\`.`, ""),
      this.#withoutWildcards(sql),
    );
    const query = withPolicies(toDuckDB(plain, this.#project, parameters), this.tables);
    const used = this.tablesIn(sql);
    const values = Object.fromEntries(
      parameters
        .filter(({ name }) => query.includes(`$${name} `))
        .map(({ name, parameterValue: { value, arrayValues } }) => [
          name,
          arrayValues === undefined ? (value ?? null) : textArray(arrayValues),
        ]),
    );
    const name = `result_${crypto.randomUUID()}`;
    await connection.run(`CREATE TEMP TABLE ${quoted(name)} AS ${query}`, { parameters: values });
    try {
      const columns = await connection.rows<{ column_name: string; column_type: string }>(
        `DESCRIBE ${quoted(name)}`,
      );
      const fields = columns.map(({ column_name, column_type }): FakeField => {
        const own = used.flatMap((table) => table.fields).find((field) => field.name === column_name);
        return own ?? { name: column_name, type: resultType(column_type), mode: "NULLABLE" };
      });
      const list = fields.map((field, at) => `${this.#text(field)} AS c${at}`);
      const rows = await connection.rows<Record<string, string | null>>(
        `SELECT ${list.join(", ")} FROM ${quoted(name)}`,
      );
      return {
        fields,
        rows: rows.map((row) => fields.map((field, at) => cellOf(field, row[`c${at}`] ?? null))),
      };
    } finally {
      await connection.run(`DROP TABLE ${quoted(name)}`);
    }
  }

  /** The tables that a SELECT names. */
  tablesIn(sql: string): readonly FakeTable[] {
    const wild = wildcardsIn(sql);
    return this.tables.filter(({ dataset, id }) => {
      if (sql.includes(`\`${dataset}\`.\`${id}\``)) return true;
      const one = wild.find((found) => found.dataset === dataset && id.startsWith(found.prefix));
      if (one === undefined) return false;
      return !sql.includes("`_TABLE_SUFFIX` IN (") || sql.includes(`'${id.slice(one.prefix.length)}'`);
    });
  }

  /** The SQL with a union instead of each wildcard table, with the columns of the table that was created last. */
  #withoutWildcards(sql: string): string {
    return wildcardsIn(sql).reduce((text, { dataset, prefix, whole }) => {
      const found = this.tables.filter((one) => one.dataset === dataset && one.id.startsWith(prefix));
      if (found.some(({ resource }) => resource?.["type"] === "VIEW"))
        throw new Error("Views cannot be queried through prefix.");
      const createdOf = ({ resource }: FakeTable) => Number(resource?.["creationTime"] ?? 0);
      const newest = found.reduce((a, b) => (createdOf(b) >= createdOf(a) ? b : a));
      const columns = newest.fields.map(({ name }) => `\`${name}\``).join(", ");
      const parts = found.map(({ id }) => {
        const suffix = `'${id.slice(prefix.length)}' AS \`_TABLE_SUFFIX\``;
        return `SELECT *, ${suffix} FROM \`${dataset}\`.\`${id}\``;
      });
      return text.replace(
        whole,
        `(SELECT ${columns}, \`_TABLE_SUFFIX\` FROM (${parts.join(" UNION ALL BY NAME ")}))`,
      );
    }, sql);
  }

  #text(field: FakeField): string {
    const name = quoted(field.name);
    return field.type === "TIMESTAMP" && columnType(field) !== undefined
      ? `CAST(epoch_us(${name}) AS VARCHAR)`
      : `CAST(${name} AS VARCHAR)`;
  }

  async #open() {
    const database = await openDatabase();
    const connection = await database.connect();
    await connection.run("SET TimeZone = 'UTC'");
    for (const table of this.tables) await create(connection, table);
    const close = async () => {
      await connection[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    };
    return { connection, close };
  }
}

/** The values of an array as text, which the SQL casts. */
const textArray = (values: readonly { readonly value?: string }[]): QueryArray => ({
  type: new arrow.Utf8(),
  values: values.map(({ value = "" }) => value),
});

/** The SQL in which the rows that a policy hides are left out. */
function withPolicies(sql: string, tables: readonly FakeTable[]): string {
  return tables.reduce((text, { dataset, id, rowPolicy }) => {
    const name = `${quoted(dataset)}.${quoted(id)}`;
    return rowPolicy === undefined ? text : text.replaceAll(name, `(FROM ${name} WHERE ${rowPolicy})`);
  }, sql);
}

/** The wildcard tables that a SELECT names: a dataset and the prefix of its tables. */
function wildcardsIn(sql: string) {
  return [...sql.matchAll(/(?:`[^`]+`\.)?`([^`]+)`\.`([^`]+)\*`/g)].map(([whole, dataset, prefix]) => ({
    whole,
    dataset: dataset!,
    prefix: prefix!,
  }));
}

async function create(connection: Connection, table: FakeTable): Promise<void> {
  const { dataset, id, partitionTimes } = table;
  const isByLoading = partitionTimes !== undefined;
  const fields = [...table.fields, ...(isByLoading ? [{ name: "_PARTITIONTIME", type: "TIMESTAMP" }] : [])];
  const rows = (table.rows ?? []).map((row, at) => [...row, ...(isByLoading ? [partitionTimes[at]!] : [])]);
  await connection.run(`CREATE SCHEMA IF NOT EXISTS ${quoted(dataset)}`);
  if (fields.length === 0) return;
  const name = `${quoted(dataset)}.${quoted(id)}`;
  const columns = fields.map((field) => `${quoted(field.name)} ${columnType(field) ?? "VARCHAR"}`);
  await connection.run(`CREATE TABLE ${name} (${columns.join(", ")})`);
  const values = rows.map((row) => `(${row.map((cell, at) => literal(fields[at]!, cell)).join(", ")})`);
  if (values.length > 0) await connection.run(`INSERT INTO ${name} VALUES ${values.join(", ")}`);
}

function literal(field: FakeField, cell: FakeCell): string {
  if (cell === null) return "NULL";
  if (columnType(field) === undefined) return text(JSON.stringify(cell));
  return field.type === "TIMESTAMP" ? `make_timestamptz(${cell as string})` : text(cell as string);
}

/** The value as in a row of the REST API. */
function cellOf(field: FakeField, value: string | null): FakeCell {
  if (value === null) return null;
  if (columnType(field) === undefined) return parsed(value);
  return field.type.startsWith("FLOAT") ? floatText(value) : value;
}

function parsed(value: string): FakeCell {
  try {
    return JSON.parse(value) as FakeCell;
  } catch {
    return value;
  }
}

const floatText = (value: string): string =>
  ({ nan: "NaN", inf: "Infinity", "-inf": "-Infinity" })[value] ?? value;
