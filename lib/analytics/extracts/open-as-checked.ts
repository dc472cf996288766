import { join } from "node:path";

import type { Files } from "../../base/mod.ts";
import { EXTRACT_FILE } from "../../extract/format/mod.ts";
import { isWithin } from "./folder.ts";

/** A sync may replace the file at any time, so another look is no failure. */
const ATTEMPTS = 3;

/**
 * Checks the file of an extract and opens it. When another file is in its place afterwards, what was opened need not be
 * what was checked, so it is closed, and both are done again.
 *
 * @param directory the extract's folder
 * @returns `null` when the file was replaced each time
 */
export async function openAsChecked<C, O>(
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

/** Which files the extract is made of, by device and inode; `null` when one of them is outside of its folder. */
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
