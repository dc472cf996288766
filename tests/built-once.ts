import { rmSync } from "node:fs";
import { cp, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder that `npm test` removes at its end: the processes that run files side by side end without the event `exit`. */
const PARENT = process.env["AGNES_TEST_FOLDER"] ?? tmpdir();

/** A folder that a test has for itself until it disposes it. */
export interface BuiltFolder extends AsyncDisposable {
  readonly path: string;
}

interface Slot {
  readonly path: string;
  /** A copy of the folder `data`. */
  readonly saved: string;
  /** What identifies the other files, which a copy would change. */
  readonly others: string;
}

/**
 * Returns a function that gives folders as `build` makes them: a workspace with its folder `data`, after a sync. A test gets
 * the folder of one before it, at the same path, with `data` as it was built, which takes much less time than a sync. If
 * that test is not done, or changed a file outside of `data`, a folder is built.
 */
export function builtOnce(build: (path: string) => Promise<void>): () => Promise<BuiltFolder> {
  const free: Slot[] = [];
  return async () => {
    const kept = free.pop();
    if (kept !== undefined) await cp(kept.saved, join(kept.path, "data"), { recursive: true });
    const slot = kept ?? (await newSlot(build));
    return {
      path: slot.path,
      async [Symbol.asyncDispose]() {
        await rm(join(slot.path, "data"), { recursive: true, force: true });
        if ((await othersOf(slot.path)) === slot.others) free.push(slot);
        else for (const path of [slot.path, slot.saved]) await rm(path, { recursive: true, force: true });
      },
    };
  };
}

async function newSlot(build: (path: string) => Promise<void>): Promise<Slot> {
  const [path, saved] = [
    await mkdtemp(join(PARENT, "agnes-built-")),
    await mkdtemp(join(PARENT, "agnes-saved-")),
  ];
  process.once("exit", () => {
    for (const one of [path, saved]) rmSync(one, { recursive: true, force: true });
  });
  await build(path);
  await cp(join(path, "data"), saved, { recursive: true });
  return { path, saved, others: await othersOf(path) };
}

async function othersOf(path: string): Promise<string> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const others = entries
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => file !== join(path, "data") && !file.startsWith(join(path, "data", "/")))
    .toSorted();
  const stamps = others.map(async (file) => {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [file, ino, size, mtimeNs, ctimeNs].join(" ");
  });
  return (await Promise.all(stamps)).join("\n");
}
