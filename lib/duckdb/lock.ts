import { randomUUID } from "node:crypto";
import { resolve } from "node:path";

import { AgnesError, fileError, isAgnesError, messageOf, TEMPORARY_SUFFIX, type Files } from "../base/mod.ts";
import { lockHolder } from "./errors.ts";
import native from "@duckdb/node-bindings";

/** The file operations of a lock. */
type LockFiles = Pick<Files, "stat" | "link" | "remove">;

/**
 * Locks this process holds: the operating system does not keep a process from locking twice, and a database that
 * nobody refers to is closed.
 */
const held = new Map<string, native.Database | null>();

/**
 * Takes a lock that at most one holder has, among all processes of the machine and within this one. It goes with
 * its process, however that ends. Dispose of it to give it back.
 *
 * The file is a tiny DuckDB database: opening one for writing is an operating system lock. It stays when the lock
 * is given back; removing it would let two in.
 *
 * @param what the name of the locked object in errors
 * @throws `locked` naming the holder, `file_failed`
 */
export async function acquireLock(files: LockFiles, path: string, what: string): Promise<AsyncDisposable> {
  const key = resolve(path);
  if (held.has(key)) throw new AgnesError("locked", { what, holder: "another run of this process" });
  held.set(key, null);
  try {
    const database = await open(files, key, what);
    held.set(key, database);
    return {
      async [Symbol.asyncDispose]() {
        if (!held.has(key)) return;
        native.close_sync(database);
        held.delete(key);
      },
    };
  } catch (error) {
    held.delete(key);
    throw error;
  }
}

async function open(files: LockFiles, path: string, what: string): Promise<native.Database> {
  try {
    return (await create(files, path)) ?? (await openNative(path));
  } catch (error) {
    if (isAgnesError(error)) throw error;
    const text = messageOf(error);
    if (/Could not set lock|Conflicting lock|being used by another process/i.test(text)) {
      throw new AgnesError("locked", { what, holder: lockHolder(text) }, { cause: error });
    }
    throw fileError("lock", path, error);
  }
}

/**
 * Makes the file appear whole or not at all, and already locked; null when it is there. A database that was cut short could
 * never be locked.
 *
 * What a killed process leaves has a temporary name, which the next holder sweeps, maybe while this is under way.
 */
async function create(files: LockFiles, path: string): Promise<native.Database | null> {
  if ((await files.stat(path)) !== null) return null;
  const whole = `${path}.${process.pid}.${randomUUID()}${TEMPORARY_SUFFIX}`;
  let database: native.Database | null = null;
  try {
    database = await openNative(whole);
    // The lock is on the file, whatever its names are.
    if (await files.link(whole, path)) return database;
  } catch (error) {
    if (database !== null) native.close_sync(database);
    // The temporary file may have been swept by a holder of the lock.
    if ((await files.stat(path)) === null) throw error;
    return null;
  } finally {
    await files.remove(whole);
  }
  native.close_sync(database);
  return null;
}

async function openNative(path: string): Promise<native.Database> {
  const config = native.create_config();
  native.set_config(config, "threads", "1");
  native.set_config(config, "memory_limit", "16MB");
  native.set_config(config, "autoload_known_extensions", "false");
  return native.open(path, config);
}
