import { join } from "node:path";

import type { Host } from "../base/mod.ts";
import { BLOCK, type LogPaths } from "./log-paths.ts";

/** The state that stands for the entries that a log no longer has. */
export interface LogBase {
  readonly path: string;
  /** Entries up to this one are dropped, or will be. */
  readonly dropped: number;
  /** The entry whose state it is. */
  readonly sequence: number;
}

/** The bases that a directory holds, the one that counts last. */
export function basesOf(paths: LogPaths, names: readonly string[] | null): readonly LogBase[] {
  return (names ?? [])
    .filter((name) => /^\d{12}-\d{12}\.jsonl$/.test(name))
    .sort()
    .map((name) => {
      const [dropped, sequence] = name.split(/[-.]/).map(Number) as [number, number];
      return { path: join(paths.base, name), dropped, sequence };
    });
}

/** Where a base is. */
export function baseOf(paths: LogPaths, dropped: number, sequence: number): LogBase {
  const name = [dropped, sequence].map((number) => String(number).padStart(12, "0")).join("-");
  return { path: join(paths.base, `${name}.jsonl`), dropped, sequence };
}

/** The base that counts now; `null` while the log is whole. */
export async function newestBase(paths: LogPaths, { files }: Pick<Host, "files">): Promise<LogBase | null> {
  return basesOf(paths, await files.list(paths.base)).at(-1) ?? null;
}

/** The last entry to be dropped when at least so many entries are kept: whole blocks are. */
export function droppable(head: number, keepEntries: number): number {
  return Math.max(0, Math.floor((head - keepEntries) / BLOCK) * BLOCK);
}
