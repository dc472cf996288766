import { join } from "node:path";

import type { Files } from "../../base/mod.ts";
import { EXTRACT_FILE } from "../../extract/format/mod.ts";
import { isWithin } from "./folder.ts";

/** A sync may replace the file at any time, so a replaced file is checked again. */
const ATTEMPTS = 3;

/**
 * Checks the file of an extract and opens it. If the file was replaced meanwhile, the opened file may differ from the
 * checked one, so it is closed and both steps are repeated.
 *
 * @param directory the extract's folder
 * @returns `null` if the file was replaced each time
 */
export async function openUnchanged<C, O>(
  files: Files,
  directory: string,
  check: () => Promise<C>,
  open: (checked: C) => Promise<O>,
  close: (opened: O) => PromiseLike<void>,
): Promise<{ readonly checked: C; readonly opened: O } | null> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await identityOf(files, directory);
    const checked = await check();
    const opened = await open(checked);
    const after = await identityOf(files, directory).catch(async (error: unknown) => {
      await close(opened);
      throw error;
    });
    if (after !== null && after === before) return { checked, opened };
    await close(opened);
  }
  return null;
}

/** Identifies the files of the extract by device and inode; `null` if one of them is outside its folder. */
async function identityOf(files: Files, directory: string): Promise<string | null> {
  const realDirectory = await files.realPath(directory);
  const found = await Promise.all(
    [EXTRACT_FILE, `${EXTRACT_FILE}.wal`].map(async (name) => {
      const path = await files.realPath(join(directory, name));
      if (path === null || realDirectory === null) return "none";
      if (!isWithin(realDirectory, path)) return null;
      return (await files.identify(path))?.id ?? "none";
    }),
  );
  return found.includes(null) ? null : found.join(" ");
}
