import { EXTRACT_FILE } from "../../extract/format/mod.ts";
import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";

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
  directory: string,
  check: () => Promise<C>,
  open: (checked: C) => Promise<O>,
  close: (opened: O) => PromiseLike<void>,
): Promise<{ readonly checked: C; readonly opened: O } | null> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await identityOf(directory);
    const checked = await check();
    const opened = await open(checked);
    const after = await identityOf(directory).catch(async (error: unknown) => {
      await close(opened);
      throw error;
    });
    if (after !== null && after === before) return { checked, opened };
    await close(opened);
  }
  return null;
}

/** Which files the extract is made of, by device and inode; `null` when one of them is outside of its folder. */
async function identityOf(directory: string): Promise<string | null> {
  const files = await Promise.all(
    [EXTRACT_FILE, `${EXTRACT_FILE}.wal`].map(async (name) => {
      try {
        const path = join(directory, name);
        const found = await stat(path, { bigint: true });
        const isInside = isWithin(await realpath(directory), await realpath(path));
        return isInside ? `${found.dev}:${found.ino}` : null;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return "none";
        throw error;
      }
    }),
  );
  return files.includes(null) ? null : files.join(" ");
}
