import native from "@duckdb/node-bindings";

import { quoteIdentifier, quoteLiteral } from "./sql.ts";

/** The instance of all locks of this process: to open one takes ten times as long as to attach a file to it. */
let shared: { readonly database: Promise<native.Database>; users: number } | null = null;
let attached = 0;

/** A DuckDB file that is open for writing, which takes a lock of the operating system on it. */
export class LockedFile {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  /** Opens a file; creates it if it does not exist. @throws the error of DuckDB */
  static async open(path: string): Promise<LockedFile> {
    const name = quoteIdentifier(`lock ${++attached}`);
    shared ??= { database: openInstance(), users: 0 };
    shared.users += 1;
    try {
      await run(`ATTACH ${quoteLiteral(path)} AS ${name} (TYPE duckdb)`);
      return new LockedFile(name);
    } catch (error) {
      await leave();
      throw error;
    }
  }

  /** Closes the file, which releases its lock. */
  async close(): Promise<void> {
    try {
      await run(`DETACH ${this.#name}`);
    } finally {
      await leave();
    }
  }
}

async function run(sql: string): Promise<void> {
  const connection = await native.connect(await shared!.database);
  try {
    await native.query(connection, sql);
  } finally {
    native.disconnect_sync(connection);
  }
}

async function leave(): Promise<void> {
  const { database, users } = shared!;
  shared!.users = users - 1;
  if (users > 1) return;
  shared = null;
  native.close_sync(await database);
}

async function openInstance(): Promise<native.Database> {
  const config = native.create_config();
  native.set_config(config, "threads", "1");
  native.set_config(config, "memory_limit", "16MB");
  native.set_config(config, "autoload_known_extensions", "false");
  return native.open(":memory:", config);
}
