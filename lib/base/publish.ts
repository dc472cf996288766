import { basename, dirname, join } from "node:path";

import type { Files } from "./files.ts";
import type { Host } from "./host.ts";
import { randomName } from "./host.ts";

/** The suffix of every temporary file; no glob for data matches it. */
export const TEMPORARY_SUFFIX = ".tmp";

/** Returns a temporary path in the folder of `path`, unique to this process and call. */
export function temporaryPath(host: Pick<Host, "random">, path: string): string {
  return join(dirname(path), `${basename(path)}.${process.pid}.${randomName(host)}${TEMPORARY_SUFFIX}`);
}

/**
 * Replaces a file by one rename: readers see the old content or the new, never a part of it.
 *
 * @param content the whole new content, or a function that writes it to the temporary path
 * @throws `disk_full`, `file_failed`; the old file is then untouched and the temporary one removed
 */
export async function publishFile(
  host: Pick<Host, "files" | "random">,
  path: string,
  content: string | Uint8Array | ((temporary: string) => Promise<void>),
  options: { readonly mode?: number } = {},
): Promise<void> {
  const { files } = host;
  const mode = options.mode ?? 0o644;
  const temporary = temporaryPath(host, path);
  await makeDirectoryDurably(files, dirname(path));
  try {
    if (typeof content === "function") {
      await content(temporary);
      await files.chmod(temporary, mode);
      await files.sync(temporary);
    } else {
      await files.write(temporary, content, { mode });
    }
    await files.rename(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => {});
    throw error;
  }
  await files.sync(dirname(path));
}

/**
 * Replaces a DuckDB database by a closed one in the same folder. Processes with the old file open keep reading it.
 *
 * @throws `disk_full`, `file_failed`; the caller removes the temporary file
 */
export async function replaceDatabase(files: Files, temporary: string, path: string): Promise<void> {
  await files.chmod(temporary, 0o644);
  await files.sync(temporary);
  // DuckDB would replay a leftover write-ahead log into the new file.
  await files.remove(`${path}.wal`);
  await files.rename(temporary, path);
  await files.sync(dirname(path));
}

/** Creates a directory and its missing parents, and syncs each directory with a new entry. */
export async function makeDirectoryDurably(files: Files, path: string): Promise<void> {
  const missing: string[] = [];
  for (let at = path; at !== dirname(at) && (await files.stat(at)) === null; at = dirname(at)) {
    missing.push(at);
  }
  await files.makeDirectory(path);
  for (const made of missing.reverse()) await files.sync(dirname(made));
}
