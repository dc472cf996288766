import { AgnesError, type Host } from "../base/mod.ts";
import type { DuckDBEngine } from "../kit/mod.ts";
import type { StreamResult } from "./connection.ts";
import { openDatabase, type Database, type DuckDBLimits } from "./database.ts";
import { restrictTo } from "./restrict.ts";
import { quoteIdentifier, quoteLiteral } from "./sql.ts";

/** The same limit as for extracts of other programs. */
const LOCKED = { max_expression_depth: "250" };

/** Databases of one query each, which can read one folder and nothing else. */
export class LockedDatabases {
  readonly #files: Host["files"];
  readonly #limits: DuckDBLimits;
  readonly #open = new Set<Database>();
  #isClosed = false;

  constructor(files: Host["files"], limits: DuckDBLimits) {
    this.#files = files;
    this.#limits = limits;
  }

  /** As `DuckDBEngine.query` with `directory`. */
  async query(
    directory: string,
    sql: string,
    { attach = {}, ...options }: NonNullable<Parameters<DuckDBEngine["query"]>[1]>,
  ): ReturnType<DuckDBEngine["query"]> {
    if (this.#isClosed)
      throw new AgnesError("internal", { what: "the source's DuckDB was used after it was closed" });
    const database = await openDatabase({ files: this.#files, limits: this.#limits, settings: LOCKED });
    this.#open.add(database);
    const end = async () => {
      if (this.#open.delete(database)) await database.close();
    };
    try {
      const connection = await database.connect();
      await connection.run(restrictTo({ directories: [directory] }));
      for (const [name, path] of Object.entries(attach)) await connection.run(attachSql(name, path));
      const { schema, batches } = await connection.stream(sql, options);
      return { schema, batches: closing(batches, end) };
    } catch (error) {
      await end();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const open = [...this.#open];
    this.#open.clear();
    await Promise.all(open.map((database) => database.close()));
  }
}

/** Returns the statement that attaches a DuckDB file. */
export function attachSql(name: string, path: string): string {
  return `ATTACH ${quoteLiteral(path)} AS ${quoteIdentifier(name)} (READ_ONLY)`;
}

/** Batches after which something ends, also if the reader stops. */
export async function* closing(batches: StreamResult["batches"], end: () => Promise<void>) {
  try {
    yield* batches;
  } finally {
    await end();
  }
}
