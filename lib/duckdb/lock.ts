import { randomUUID } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";

import { AgnesError, fileError, isAgnesError, messageOf, TEMPORARY_SUFFIX, type Files } from "../base/mod.ts";
import { lockHolder } from "./errors.ts";
import { LockedFile } from "./locked-file.ts";

/** The file operations of a lock. */
type LockFiles = Pick<Files, "stat" | "link" | "remove" | "realPath">;

/** Locks of this process, because the operating system does not prevent a process from locking twice. */
const held = new Set<string>();

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
  const key = await realPathOf(files, path);
  if (held.has(key)) throw new AgnesError("locked", { what, holder: "another run of this process" });
  held.add(key);
  try {
    const file = await open(files, key, what);
    return {
      async [Symbol.asyncDispose]() {
        if (!held.has(key)) return;
        await file.close();
        held.delete(key);
      },
    };
  } catch (error) {
    held.delete(key);
    throw error;
  }
}

/** The path without links, so that a folder with two paths has one lock. The file may not exist yet. */
async function realPathOf(files: LockFiles, path: string): Promise<string> {
  const absolute = resolve(path);
  const real = await files.realPath(absolute);
  if (real !== null) return real;
  return join((await files.realPath(dirname(absolute))) ?? dirname(absolute), basename(absolute));
}

async function open(files: LockFiles, path: string, what: string): Promise<LockedFile> {
  try {
    return (await create(files, path)) ?? (await LockedFile.open(path));
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
async function create(files: LockFiles, path: string): Promise<LockedFile | null> {
  if ((await files.stat(path)) !== null) return null;
  const temporary = `${path}.${process.pid}.${randomUUID()}${TEMPORARY_SUFFIX}`;
  let file: LockedFile | null = null;
  try {
    file = await LockedFile.open(temporary);
    // The lock belongs to the file, not to its name.
    if (await files.link(temporary, path)) return file;
  } catch (error) {
    await file?.close();
    // The temporary file may have been swept by a holder of the lock.
    if ((await files.stat(path)) === null) throw error;
    return null;
  } finally {
    await files.remove(temporary);
  }
  await file.close();
  return null;
}
