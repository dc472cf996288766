import { randomUUID } from "node:crypto";
import { resolve } from "node:path";

import { AgnesError, fileError, isAgnesError, messageOf, TEMPORARY_SUFFIX, type Files } from "../base/mod.ts";
import { lockHolder } from "./errors.ts";
import native from "@duckdb/node-bindings";

/** The file operations of a lock. */
type LockFiles = Pick<Files, "stat" | "link" | "remove">;

/**
 * Locks of this process, because the operating system does not prevent a process from locking twice, and a database
 * without references is closed.
 */
const held = new Map<string, native.Database | null>();

/**
 * Acquires an exclusive lock, among all processes of the machine and within this one. It is released when the returned
 * object is disposed or the process ends.
 *
 * The file is an empty DuckDB database, because opening one for writing takes a lock of the operating system. It is not
 * removed on release, because then two processes could hold the lock.
 *
 * @param what the locked resource, for the message
 * @throws `locked` with the holder, `lock_damaged` for a file that is no lock, `file_failed`
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
    const damage = damageOf(text);
    if (damage !== null)
      throw new AgnesError("lock_damaged", { what, path, reason: damage }, { cause: error });
    throw fileError("lock", path, error);
  }
}

/** Why an existing file cannot be a lock; null: for another reason, such as its permissions. */
function damageOf(text: string): string | null {
  if (/Is a directory/i.test(text)) return "it is a folder";
  if (/Could not read enough bytes/i.test(text)) return "it is not complete";
  return /not a valid DuckDB database|Corrupt database/i.test(text) ? "it is not a file of Agnes" : null;
}

/**
 * Creates the file atomically and already locked; null if it exists. An incomplete database could never be locked.
 *
 * The temporary file of a killed process is removed by the next holder, possibly while this function runs.
 */
async function create(files: LockFiles, path: string): Promise<native.Database | null> {
  if ((await files.stat(path)) !== null) return null;
  const temporary = `${path}.${process.pid}.${randomUUID()}${TEMPORARY_SUFFIX}`;
  let database: native.Database | null = null;
  try {
    database = await openNative(temporary);
    // The lock belongs to the file, not to its name.
    if (await files.link(temporary, path)) return database;
  } catch (error) {
    if (database !== null) native.close_sync(database);
    // The temporary file may have been swept by a holder of the lock.
    if ((await files.stat(path)) === null) throw error;
    return null;
  } finally {
    await files.remove(temporary);
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
