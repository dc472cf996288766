import { AgnesError, OpenedOnce, type Host } from "../base/mod.ts";
import type { DuckDBEngine } from "../kit/mod.ts";
import { changedSpace } from "./changed-spaces.ts";
import type { Connection } from "./connection.ts";
import { openDatabase, type DuckDBLimits } from "./database.ts";
import { inspectFiles } from "./files/inspect.ts";
import { attachSql, closing, LockedDatabases } from "./locked-databases.ts";
import { quoteIdentifier } from "./sql.ts";

/** The DuckDB engine of a plugin, which can be closed. */
export interface Engine extends DuckDBEngine, AsyncDisposable {
  close(): Promise<void>;
}

/**
 * Creates the engine of a source: an in-memory database that is opened on first use.
 *
 * Each query has its own connection. A file that several queries attach under the same name is attached once.
 */
export function createEngine({ files }: Pick<Host, "files">, limits: DuckDBLimits): Engine {
  const own = new OpenedOnce(() => openDatabase({ files, limits }));
  const locked = new LockedDatabases(files, limits);
  let closed = false;
  const attachments = new Attachments();
  const connect = async (): Promise<Connection> => {
    if (closed)
      throw new AgnesError("internal", { what: "the source's DuckDB was used after it was closed" });
    return (await own.get()).connect();
  };
  const close = async () => {
    closed = true;
    await locked.close();
    await (await own.opened())?.close();
  };
  return {
    close,
    [Symbol.asyncDispose]: close,
    async describe(chunk, options = {}) {
      const { data } = chunk;
      if (typeof data !== "string") {
        throw new AgnesError("invalid_input", {
          what: "the file chunk",
          reason: "only a chunk with a path can be described",
        });
      }
      const { format, csv, types, compression } = chunk;
      const file = { path: data, ...(compression === undefined ? {} : { compression }) };
      const described = {
        format,
        ...(csv === undefined ? {} : { csv }),
        ...(types === undefined ? {} : { types }),
      };
      return (await this.inspect([file], { ...described, ...options })).schema;
    },
    async inspect(inputs, options) {
      await using connection = await connect();
      return await inspectFiles(connection, inputs, options);
    },
    async query(sql, { attach = {}, directory, ...options } = {}) {
      const space = changedSpace(sql);
      if (space !== null) {
        const reason = `${space.reason}, at character ${space.index + 1}`;
        throw new AgnesError("sql_not_allowed", { reason, advice: space.advice });
      }
      if (directory !== undefined) return locked.query(directory, sql, { attach, ...options });
      const connection = await connect();
      const detach: (() => Promise<void>)[] = [];
      const end = async () => {
        await connection.close();
        for (const one of detach.splice(0)) await one();
      };
      try {
        for (const [name, path] of Object.entries(attach)) {
          detach.push(await attachments.enter(connect, name, path));
        }
        const { schema, batches } = await connection.stream(sql, options);
        return { schema, batches: closing(batches, end) };
      } catch (error) {
        await end();
        throw error;
      }
    },
  };
}

interface Attachment {
  readonly path: string;
  readonly ready: Promise<void>;
  users: number;
}

/** Counts the queries of each attached database: the first query attaches it, the last one detaches it. */
class Attachments {
  readonly #byName = new Map<string, Attachment>();
  /** Pending detaches by name, which the next attach waits for. */
  readonly #detaching = new Map<string, Promise<void>>();

  async enter(connect: () => Promise<Connection>, name: string, path: string): Promise<() => Promise<void>> {
    const known = this.#byName.get(name);
    if (known !== undefined && known.path !== path) {
      const reason = `a running query uses it for ${known.path}`;
      throw new AgnesError("invalid_input", { what: `the attached name ${name}`, reason });
    }
    const attachment = known ?? { path, users: 0, ready: this.#attach(connect, name, path) };
    if (known === undefined) this.#byName.set(name, attachment);
    attachment.users += 1;
    const leave = async () => {
      attachment.users -= 1;
      if (attachment.users > 0) return;
      this.#byName.delete(name);
      const detached = run(connect, `DETACH DATABASE IF EXISTS ${quoteIdentifier(name)}`);
      this.#detaching.set(name, detached);
      await detached;
    };
    try {
      await attachment.ready;
      return leave;
    } catch (error) {
      attachment.users -= 1;
      if (this.#byName.get(name) === attachment) this.#byName.delete(name);
      throw error;
    }
  }

  async #attach(connect: () => Promise<Connection>, name: string, path: string): Promise<void> {
    await this.#detaching.get(name)?.catch(() => {});
    await run(connect, attachSql(name, path));
  }
}

async function run(connect: () => Promise<Connection>, sql: string): Promise<void> {
  await using connection = await connect();
  await connection.run(sql);
}
