import { counted } from "../../base/mod.ts";
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { RecordBatch, Schema } from "apache-arrow";

import {
  duckdbTypeOf,
  openFile,
  readingOf,
  openDatabase,
  openStream,
  quoteIdentifier,
  type Connection,
  type Database,
} from "../../duckdb/mod.ts";
import {
  createRowBuilder,
  isDeletions,
  isFileChunk,
  isRows,
  type Batch,
  type Deletions,
  type FileChunk,
  type ReadOptions,
  type TableInfo,
} from "../../kit/mod.ts";
import { TEST_LIMITS, type Session } from "./session.ts";

/** Compares reads in a separate database, with DuckDB's order and equality. */
export class Workbench implements AsyncDisposable {
  readonly #session: Session;
  readonly #database: Database;
  readonly connection: Connection;
  /** The number of occurrences of undeclared columns, by name. */
  readonly undeclared = new Map<string, number>();
  #tables = 0;

  private constructor(session: Session, database: Database, connection: Connection) {
    this.#session = session;
    this.#database = database;
    this.connection = connection;
  }

  static async open(session: Session): Promise<Workbench> {
    const database = await openDatabase({ files: session.host.files, limits: TEST_LIMITS });
    return new Workbench(session, database, await database.connect());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close();
  }

  /** Reads a table of the source into a table of the workbench; returns its quoted name. */
  async read(info: TableInfo, options: Partial<ReadOptions> = {}): Promise<string> {
    return this.load(info, this.#session.read(info, options), options.columns);
  }

  /** Reads a whole table like `read`; returns null, and the case skips the table, if it exceeds `maxRows`. */
  async readWhole(info: TableInfo): Promise<string | null> {
    const { config, large, leftOut } = this.#session;
    if (!large.has(info.name)) {
      const name = await this.load(info, this.#session.read(info), namesOf(info), config.maxRows);
      if (!large.has(info.name)) return name;
    }
    leftOut.add(info.name);
    return null;
  }

  /**
   * Loads batches into a new table with the requested columns; ignores deletions. Stops after the batch that exceeds
   * `maxRows` rows; the table then counts as large.
   */
  async load(
    info: TableInfo,
    batches: AsyncIterable<Batch | Deletions>,
    columns = namesOf(info),
    maxRows = Infinity,
  ): Promise<string> {
    this.#tables += 1;
    const name = quoteIdentifier(`read ${this.#tables}`);
    const definitions = columns.map(
      (column) => `${quoteIdentifier(column)} ${duckdbTypeOf(fieldOf(info, column))}`,
    );
    await this.connection.run(`CREATE TABLE ${name} (${definitions.join(", ")})`);
    const builder = createRowBuilder(info);
    const known = namesOf(info);
    let rows = 0;
    for await (const batch of batches) {
      if (isDeletions(batch)) continue;
      if (isRows(batch)) {
        await this.#insert(name, columns, builder.append(batch));
        rows += batch.length;
      } else if (isFileChunk(batch)) {
        const present = await this.#insertFile(name, columns, batch);
        for (const column of present) if (!known.includes(column)) this.#undeclared(column, 1);
        rows = await this.count(name);
      } else {
        await this.#insert(name, columns, [batch]);
        rows += batch.numRows;
      }
      if (rows > maxRows) {
        this.#session.large.add(info.name);
        break;
      }
    }
    await this.#insert(name, columns, builder.finish());
    for (const [key, count] of builder.unknownKeys) this.#undeclared(key, count);
    return name;
  }

  /** Returns the number of rows of a relation. */
  async count(relation: string): Promise<number> {
    const [row] = await this.connection.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${relation}`);
    return Number(row!.n);
  }

  /** Fails if two relations differ as multisets of rows. */
  async assertSameRows(actual: string, expected: string, what: string): Promise<void> {
    const more = `(FROM ${actual}) EXCEPT ALL (FROM ${expected})`;
    const fewer = `(FROM ${expected}) EXCEPT ALL (FROM ${actual})`;
    if ((await this.count(`((${more}) UNION ALL (${fewer}))`)) === 0) return;
    for (const [query, difference] of [
      [fewer, "missing"],
      [more, "too many"],
    ] as const) {
      const { count, row } = await this.#example(query);
      assert.ok(count === 0, `${what}: ${counted(count, "row")} ${difference}, for example ${row}`);
    }
  }

  async #example(query: string): Promise<{ readonly count: number; readonly row: string }> {
    const count = await this.count(`(${query})`);
    if (count === 0) return { count, row: "" };
    const [found] = await this.connection.rows<{ row: string }>(
      `SELECT CAST(found AS VARCHAR) AS row FROM (${query}) AS found LIMIT 1`,
    );
    return { count, row: found!.row };
  }

  #undeclared(name: string, count: number): void {
    this.undeclared.set(name, (this.undeclared.get(name) ?? 0) + count);
  }

  async #insert(name: string, columns: readonly string[], batches: readonly RecordBatch[]): Promise<void> {
    const [first] = batches;
    if (first === undefined) return;
    const stream = openStream(this.#database, {
      schema: first.schema,
      async *open() {
        yield* batches;
      },
    });
    try {
      await this.#insertFrom(name, columns, first.schema.names.map(String), stream.relation);
    } finally {
      stream.close();
    }
  }

  /** Inserts the rows of a file, and returns its columns. */
  async #insertFile(name: string, columns: readonly string[], chunk: FileChunk): Promise<readonly string[]> {
    if (typeof chunk.data === "string") {
      const local = { ...chunk, data: chunk.data };
      // Another read may be running on the connection of the workbench.
      await using connection = await this.#database.connect();
      const reading = await readingOf(connection, local);
      if (reading === null) return [];
      await using file = await openFile({ ...local, reading }, { connection });
      const has = file.present.map((column) => column.name);
      await this.#insertFrom(name, columns, has, `(${file.select})`);
      return has;
    }
    const data = join(this.#session.scratch, randomUUID());
    const compression = chunk.compression ?? "none";
    try {
      await writeFile(data, chunk.data);
      return await this.#insertFile(name, columns, { ...chunk, data, compression });
    } finally {
      await rm(data, { force: true });
    }
  }

  async #insertFrom(
    name: string,
    columns: readonly string[],
    has: readonly string[],
    relation: string,
  ): Promise<void> {
    const list = columns.map((column) => (has.includes(column) ? quoteIdentifier(column) : "NULL"));
    await this.connection.run(`INSERT INTO ${name} SELECT ${list.join(", ")} FROM ${relation}`);
  }
}

/** The columns of a table. */
export function namesOf(info: TableInfo): readonly string[] {
  return info.schema.fields.map((field) => String(field.name));
}

/** One column of a table. */
export function fieldOf(info: TableInfo, column: string): Schema["fields"][number] {
  return info.schema.fields.find((field) => field.name === column)!;
}
